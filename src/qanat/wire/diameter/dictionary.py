"""Every AVP we know by name, code, format and M bit: data only.

An AVP that is not listed is ignored when its M bit is clear and refused (5001) when it is set (RFC 6733 §4.1). So the
table is longer than what charging reads: it holds everything that a packet gateway may put into a credit-control
request. A trailing ``-`` says that we send it with the M bit clear.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from qanat.wire.diameter.avp import Avp, Kind

IETF: Final = 0
THREE_GPP: Final = 10415
THREE_GPP2: Final = 5535
ETSI: Final = 13019

_RFC_6733: Final = """
User-Name 1 TEXT
Class 25 OCTETS
Session-Timeout 27 U32
Proxy-State 33 OCTETS
Acct-Session-Id 44 OCTETS
Acct-Multi-Session-Id 50 TEXT
Event-Timestamp 55 TIME
Acct-Interim-Interval 85 U32
Host-IP-Address 257 ADDRESS
Auth-Application-Id 258 U32
Acct-Application-Id 259 U32
Vendor-Specific-Application-Id 260 GROUP
Redirect-Host-Usage 261 ENUM
Redirect-Max-Cache-Time 262 U32
Session-Id 263 TEXT
Origin-Host 264 IDENTITY
Supported-Vendor-Id 265 U32
Vendor-Id 266 U32
Firmware-Revision 267 U32 -
Result-Code 268 U32
Product-Name 269 TEXT -
Session-Binding 270 U32
Session-Server-Failover 271 ENUM
Multi-Round-Time-Out 272 U32
Disconnect-Cause 273 ENUM
Auth-Request-Type 274 ENUM
Auth-Grace-Period 276 U32
Auth-Session-State 277 ENUM
Origin-State-Id 278 U32
Failed-AVP 279 GROUP
Proxy-Host 280 IDENTITY
Error-Message 281 TEXT -
Route-Record 282 IDENTITY
Destination-Realm 283 IDENTITY
Proxy-Info 284 GROUP
Re-Auth-Request-Type 285 ENUM
Accounting-Sub-Session-Id 287 U64
Authorization-Lifetime 291 U32
Redirect-Host 292 URI
Destination-Host 293 IDENTITY
Error-Reporting-Host 294 IDENTITY -
Termination-Cause 295 ENUM
Origin-Realm 296 IDENTITY
Experimental-Result 297 GROUP
Experimental-Result-Code 298 U32
Inband-Security-Id 299 U32
"""

_RFC_8506: Final = """
CC-Correlation-Id 411 OCTETS -
CC-Input-Octets 412 U64
CC-Money 413 GROUP
CC-Output-Octets 414 U64
CC-Request-Number 415 U32
CC-Request-Type 416 ENUM
CC-Service-Specific-Units 417 U64
CC-Session-Failover 418 ENUM
CC-Sub-Session-Id 419 U64
CC-Time 420 U32
CC-Total-Octets 421 U64
Check-Balance-Result 422 ENUM
Cost-Information 423 GROUP
Cost-Unit 424 TEXT
Currency-Code 425 U32
Credit-Control 426 ENUM
Credit-Control-Failure-Handling 427 ENUM
Direct-Debiting-Failure-Handling 428 ENUM
Exponent 429 I32
Final-Unit-Indication 430 GROUP
Granted-Service-Unit 431 GROUP
Rating-Group 432 U32
Redirect-Address-Type 433 ENUM
Redirect-Server 434 GROUP
Redirect-Server-Address 435 TEXT
Requested-Action 436 ENUM
Requested-Service-Unit 437 GROUP
Restriction-Filter-Rule 438 FILTER
Service-Identifier 439 U32
Service-Parameter-Info 440 GROUP -
Service-Parameter-Type 441 U32 -
Service-Parameter-Value 442 OCTETS -
Subscription-Id 443 GROUP
Subscription-Id-Data 444 TEXT
Unit-Value 445 GROUP
Used-Service-Unit 446 GROUP
Value-Digits 447 I64
Validity-Time 448 U32
Final-Unit-Action 449 ENUM
Subscription-Id-Type 450 ENUM
Tariff-Time-Change 451 TIME
Tariff-Change-Usage 452 ENUM
G-S-U-Pool-Identifier 453 U32
CC-Unit-Type 454 ENUM
Multiple-Services-Indicator 455 ENUM
Multiple-Services-Credit-Control 456 GROUP
G-S-U-Pool-Reference 457 GROUP
User-Equipment-Info 458 GROUP
User-Equipment-Info-Type 459 ENUM
User-Equipment-Info-Value 460 OCTETS
Service-Context-Id 461 TEXT
User-Equipment-Info-Extension 653 GROUP -
User-Equipment-Info-IMEISV 654 OCTETS -
User-Equipment-Info-MAC 655 OCTETS -
User-Equipment-Info-EUI64 656 OCTETS -
User-Equipment-Info-ModifiedEUI64 657 OCTETS -
User-Equipment-Info-IMEI 658 OCTETS -
Subscription-Id-Extension 659 GROUP -
Subscription-Id-E164 660 TEXT -
Subscription-Id-IMSI 661 TEXT -
Subscription-Id-SIP-URI 662 TEXT -
Subscription-Id-NAI 663 TEXT -
Subscription-Id-Private 664 TEXT -
Redirect-Server-Extension 665 GROUP -
Redirect-Address-IPAddress 666 ADDRESS -
Redirect-Address-URL 667 TEXT -
Redirect-Address-SIP-URI 668 TEXT -
QoS-Final-Unit-Indication 669 GROUP -
"""

_OTHER_IETF: Final = """
Framed-IP-Address 8 OCTETS
Filter-Id 11 TEXT
Called-Station-Id 30 TEXT
Calling-Station-Id 31 TEXT
Framed-Interface-Id 96 U64
Framed-IPv6-Prefix 97 OCTETS
Accounting-Input-Octets 363 U64
Accounting-Output-Octets 364 U64
DRMP 301 ENUM -
OC-Supported-Features 621 GROUP -
OC-Feature-Vector 622 U64 -
OC-OLR 623 GROUP -
OC-Sequence-Number 624 U64 -
OC-Validity-Duration 625 U32 -
OC-Report-Type 626 ENUM -
OC-Reduction-Percentage 627 U32 -
"""
"""RFC 7155 (network access), RFC 7944 (priority), RFC 7683 (overload)."""

_TS_29_061: Final = """
3GPP-IMSI 1 TEXT
3GPP-Charging-Id 2 OCTETS
3GPP-PDP-Type 3 ENUM
3GPP-CG-Address 4 OCTETS
3GPP-GPRS-Negotiated-QoS-Profile 5 TEXT
3GPP-SGSN-Address 6 OCTETS
3GPP-GGSN-Address 7 OCTETS
3GPP-IMSI-MCC-MNC 8 TEXT
3GPP-GGSN-MCC-MNC 9 TEXT
3GPP-NSAPI 10 OCTETS
3GPP-Session-Stop-Indicator 11 OCTETS
3GPP-Selection-Mode 12 TEXT
3GPP-Charging-Characteristics 13 TEXT
3GPP-CG-IPv6-Address 14 OCTETS
3GPP-SGSN-IPv6-Address 15 OCTETS
3GPP-GGSN-IPv6-Address 16 OCTETS
3GPP-IPv6-DNS-Servers 17 OCTETS
3GPP-SGSN-MCC-MNC 18 TEXT
3GPP-IMEISV 20 OCTETS
3GPP-RAT-Type 21 OCTETS
3GPP-User-Location-Info 22 OCTETS
3GPP-MS-TimeZone 23 OCTETS
3GPP-Packet-Filter 25 OCTETS
3GPP-Negotiated-DSCP 26 OCTETS
3GPP-Allocate-IP-Type 27 OCTETS
"""

_TS_32_299: Final = """
IMS-Charging-Identifier 841 TEXT
CG-Address 846 ADDRESS
GGSN-Address 847 ADDRESS
Service-Specific-Data 863 TEXT
PS-Furnish-Charging-Information 865 GROUP
PS-Free-Format-Data 866 OCTETS
PS-Append-Free-Format-Data 867 ENUM
Time-Quota-Threshold 868 U32
Volume-Quota-Threshold 869 U32
Trigger-Type 870 ENUM
Quota-Holding-Time 871 U32
Reporting-Reason 872 ENUM
Service-Information 873 GROUP
PS-Information 874 GROUP
IMS-Information 876 GROUP
MMS-Information 877 GROUP
Quota-Consumption-Time 881 U32
Unit-Quota-Threshold 1226 U32
PDP-Address 1227 ADDRESS
SGSN-Address 1228 ADDRESS
PDP-Context-Type 1247 ENUM
Service-Specific-Info 1249 GROUP
Service-Specific-Type 1257 U32
Event-Charging-TimeStamp 1258 TIME
Trigger 1264 GROUP
Base-Time-Interval 1265 U32
Envelope 1266 GROUP
Envelope-End-Time 1267 TIME
Envelope-Reporting 1268 ENUM
Envelope-Start-Time 1269 TIME
Time-Quota-Mechanism 1270 GROUP
Time-Quota-Type 1271 ENUM
AF-Correlation-Information 1276 GROUP
Offline-Charging 1278 GROUP
RAN-End-Timestamp 1301 TIME -
RAN-Secondary-RAT-Usage-Report 1302 GROUP -
RAN-Start-Timestamp 1303 TIME -
Secondary-RAT-Type 1304 OCTETS -
Terminal-Information 1401 GROUP
IMEI 1402 TEXT
Software-Version 1403 TEXT
CSG-Id 1437 U32
MME-Number-for-MT-SMS 1645 OCTETS
SMS-Information 2000 GROUP
Number-Of-Messages-Sent 2019 U32
Low-Balance-Indication 2020 ENUM
Remaining-Balance 2021 GROUP
Refund-Information 2022 OCTETS
Subscriber-Role 2033 ENUM
Change-Condition 2037 I32
Change-Time 2038 TIME
Diagnostics 2039 I32
Service-Data-Container 2040 GROUP
Start-Time 2041 TIME
Stop-Time 2042 TIME
Time-First-Usage 2043 TIME
Time-Last-Usage 2044 TIME
Time-Usage 2045 U32
Traffic-Data-Volumes 2046 GROUP
Serving-Node-Type 2047 ENUM
PDN-Connection-Charging-ID 2050 U32
Dynamic-Address-Flag 2051 ENUM
Accumulated-Cost 2052 GROUP
AoC-Cost-Information 2053 GROUP
AoC-Information 2054 GROUP
AoC-Request-Type 2055 ENUM
Current-Tariff 2056 GROUP
Next-Tariff 2057 GROUP
Rate-Element 2058 GROUP
Scale-Factor 2059 GROUP
Tariff-Information 2060 GROUP
Unit-Cost 2061 GROUP
Incremental-Cost 2062 GROUP
Local-Sequence-Number 2063 U32
Node-Id 2064 TEXT
SGW-Change 2065 ENUM
Charging-Characteristics-Selection-Mode 2066 ENUM
SGW-Address 2067 ADDRESS
Dynamic-Address-Flag-Extension 2068 ENUM
Charge-Reason-Code 2118 ENUM
IMSI-Unauthenticated-Flag 2308 ENUM
AoC-Format 2310 ENUM
AoC-Service 2311 GROUP
AoC-Service-Obligatory-Type 2312 ENUM
AoC-Service-Type 2313 ENUM
AoC-Subscription-Information 2314 GROUP
Preferred-AoC-Currency 2315 U32
CSG-Access-Mode 2317 ENUM
CSG-Membership-Indication 2318 ENUM
User-CSG-Information 2319 GROUP
Low-Priority-Indicator 2602 ENUM
PDP-Address-Prefix-Length 2606 U32
CN-Operator-Selection-Entity 3421 ENUM
ePDG-Address 3425 ADDRESS
Enhanced-Diagnostics 3901 GROUP
TWAG-Address 3903 ADDRESS
Announcement-Information 3904 GROUP
Announcement-Identifier 3905 U32
Announcement-Order 3906 U32
Variable-Part 3907 GROUP
Time-Indicator 3911 U32
Quota-Indicator 3912 ENUM
Play-Alternative 3913 ENUM
Language 3914 TEXT
Privacy-Indicator 3915 ENUM
UWAN-User-Location-Info 3918 GROUP
Related-Change-Condition-Information 3925 GROUP
CP-CIoT-EPS-Optimisation-Indicator 3930 ENUM
SGi-PtP-Tunnelling-Method 3931 ENUM
UNI-PDU-CP-Only-Flag 3932 ENUM
APN-Rate-Control 3933 GROUP
APN-Rate-Control-Downlink 3934 GROUP
APN-Rate-Control-Uplink 3935 GROUP
Additional-Exception-Reports 3936 ENUM
Rate-Control-Max-Message-Size 3937 U32
Rate-Control-Max-Rate 3938 U32
Rate-Control-Time-Unit 3939 U32
SCS-AS-Address 3940 GROUP
SCS-Address 3941 ADDRESS
Serving-PLMN-Rate-Control 4310 GROUP
Uplink-Rate-Limit 4311 U32
Downlink-Rate-Limit 4312 U32
RRC-Cause-Counter 4318 GROUP
Counter-Value 4319 U32
RRC-Counter-Timestamp 4320 TIME
Charging-Per-IP-CAN-Session-Indicator 4400 ENUM
3GPP-PS-Data-Off-Status 4406 ENUM
Unused-Quota-Timer 4407 U32
"""

_OTHER_3GPP: Final = """
Access-Network-Charging-Identifier-Value 503 OCTETS
AF-Charging-Identifier 505 OCTETS
Flow-Description 507 FILTER
Flow-Number 509 U32
Flows 510 GROUP
Max-Requested-Bandwidth-DL 515 U32
Max-Requested-Bandwidth-UL 516 U32
Media-Component-Number 518 U32
Sponsor-Identity 531 TEXT -
Application-Service-Provider-Identity 532 TEXT -
Extended-Max-Requested-BW-DL 554 U32 -
Extended-Max-Requested-BW-UL 555 U32 -
Supported-Features 628 GROUP -
Feature-List-ID 629 U32 -
Feature-List 630 U32 -
Charging-Rule-Base-Name 1004 TEXT
Charging-Rule-Name 1005 OCTETS
QoS-Information 1016 GROUP
Bearer-Identifier 1020 OCTETS
Access-Network-Charging-Identifier-Gx 1022 GROUP
Guaranteed-Bitrate-DL 1025 U32
Guaranteed-Bitrate-UL 1026 U32
QoS-Class-Identifier 1028 ENUM
Allocation-Retention-Priority 1034 GROUP -
APN-Aggregate-Max-Bitrate-DL 1040 U32 -
APN-Aggregate-Max-Bitrate-UL 1041 U32 -
Priority-Level 1046 U32 -
Pre-emption-Capability 1047 ENUM -
Pre-emption-Vulnerability 1048 ENUM -
PDN-Connection-ID 1065 OCTETS
TDF-Application-Identifier 1088 OCTETS -
TDF-IP-Address 1091 ADDRESS -
ADC-Rule-Base-Name 1095 TEXT -
SSID 1524 TEXT
MME-Name 2402 IDENTITY -
MME-Realm 2408 IDENTITY -
TWAN-User-Location-Info 2714 GROUP
BSSID 2716 TEXT
Conditional-APN-Aggregate-Max-Bitrate 2818 GROUP -
RAN-NAS-Release-Cause 2819 OCTETS -
Presence-Reporting-Area-Elements-List 2820 OCTETS -
Presence-Reporting-Area-Identifier 2821 OCTETS -
Presence-Reporting-Area-Information 2822 GROUP -
Presence-Reporting-Area-Status 2823 U32 -
Presence-Reporting-Area-Node 2855 U32 -
UE-Local-IP-Address 2805 ADDRESS -
UDP-Source-Port 2806 U32 -
User-Location-Info-Time 2812 TIME -
Fixed-User-Location-Info 2825 GROUP -
NBIFOM-Mode 2830 ENUM -
NBIFOM-Support 2831 ENUM -
Extended-APN-AMBR-DL 2848 U32 -
Extended-APN-AMBR-UL 2849 U32 -
Extended-GBR-DL 2850 U32 -
Extended-GBR-UL 2851 U32 -
SCEF-ID 3125 IDENTITY
"""
"""TS 29.212 (Gx), TS 29.214 (Rx), TS 29.229, TS 29.272 and their neighbours, as TS 32.299 §7.2 quotes them."""

_ETSI: Final = """
Logical-Access-ID 302 OCTETS
Physical-Access-ID 313 TEXT
"""

_3GPP2: Final = """
3GPP2-BSID 9010 TEXT
"""


def _rows(table: str, *, vendor: int) -> list[Avp]:
    rows = (line.split() for line in table.split("\n") if line)
    return [Avp(name, int(code), Kind[kind], vendor, mandatory=not rest) for name, code, kind, *rest in rows]


_ALL: Final = (
    *_rows(_RFC_6733, vendor=IETF),
    *_rows(_RFC_8506, vendor=IETF),
    *_rows(_OTHER_IETF, vendor=IETF),
    *_rows(_TS_29_061, vendor=THREE_GPP),
    *_rows(_TS_32_299, vendor=THREE_GPP),
    *_rows(_OTHER_3GPP, vendor=THREE_GPP),
    *_rows(_ETSI, vendor=ETSI),
    *_rows(_3GPP2, vendor=THREE_GPP2),
)

BY_NAME: Final = MappingProxyType({avp.name: avp for avp in _ALL})
BY_KEY: Final = {avp.key: avp for avp in _ALL}
assert len(BY_NAME) == len(BY_KEY) == len(_ALL), "an AVP stands twice in the dictionary"
