"""What people send, admitted strictly: whole numbers only, no unknown field, amounts up to 2^53−1."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from qanat.ids import is_imsi, is_msisdn
from qanat.printed import CONTROL
from qanat.registry.names import NAME
from qanat.registry.peers import ORIGIN_HOST
from qanat.server.gy.quirks import DEFAULT
from qanat.server.http.spelling import CURRENCY, PERIOD, PROFILE, STATUS
from qanat.units import MAX_PUBLIC_OCTETS, Unit


def _imsi(text: str) -> str:
    if text and not is_imsi(text):
        raise ValueError("an IMSI has 6 to 15 digits")
    return text


def _msisdn(text: str) -> str:
    if text and not is_msisdn(text):
        raise ValueError("a number has 5 to 15 digits with its country code, without + or 00")
    return text


def _for_people(text: str) -> str:
    if CONTROL.search(text):
        raise ValueError("what people read has no control characters")
    return text


def _is_text(value: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


NameText = Annotated[str, StringConstraints(pattern=NAME), Field(examples=["alice"])]
Display = Annotated[str, StringConstraints(max_length=200), AfterValidator(_for_people)]
SomeOctets = Annotated[int, Field(ge=1, le=MAX_PUBLIC_OCTETS, examples=[1_000_000_000])]
SomeUnits = Annotated[int, Field(ge=0, le=MAX_PUBLIC_OCTETS)]
_MINOR: Final = "In minor units of the currency (ISO 4217): 990 is 9.90 EUR, 990 JPY or 0.990 KWD."
Money = Annotated[int, Field(ge=0, le=MAX_PUBLIC_OCTETS, description=_MINOR, examples=[990])]
Days = Annotated[int, Field(ge=1, le=36_500, examples=[30])]
Currency = Annotated[str, StringConstraints(pattern=CURRENCY), Field(description="ISO 4217", examples=["EUR"])]
ImsiText = Annotated[str, AfterValidator(_imsi), Field(examples=["001010000000001"])]
MsisdnText = Annotated[str, AfterValidator(_msisdn), Field(examples=["4915123456789"])]
Password = Annotated[SecretStr, Field(min_length=8, max_length=256)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _text_can_be_written(cls, value: object) -> object:
        """JSON can spell half a surrogate pair, which is no text and can't be stored (RFC 8259 §8.2)."""
        if not all(_is_text(text) for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)):
            raise ValueError("half a surrogate pair is no text")
        return value


class NewOperator(Body):
    name: NameText
    display_name: Display = ""


class NewStaff(Body):
    name: NameText
    password: Password


class NewPlan(Body):
    """So much of one unit: octets, seconds, or units that a service counts by itself."""

    name: NameText
    octets: SomeUnits = 0
    seconds: SomeUnits = 0
    units: SomeUnits = 0
    valid_days: Days
    price: Money
    currency: Currency = "EUR"
    operator: NameText = "home"
    priority: Annotated[int, Field(ge=0, le=10_000, description="Lower is used first.")] = 100
    quota: Annotated[int, Field(ge=0, le=MAX_PUBLIC_OCTETS, description="Size of one quota; 0 as settings say.")] = 0
    all_or_nothing: bool = False
    stock: Annotated[int | None, Field(ge=0, le=MAX_PUBLIC_OCTETS)] = None

    @model_validator(mode="after")
    def one_unit(self) -> NewPlan:
        if len([one for one in (self.octets, self.seconds, self.units) if one]) != 1:
            raise ValueError("a plan holds octets, or seconds, or units: one of them, more than 0")
        return self

    @property
    def unit(self) -> Unit:
        return "octets" if self.octets else "seconds" if self.seconds else "units"


class NewSubscriber(Body):
    name: NameText
    operator: NameText = "home"
    imsi: ImsiText = ""
    msisdn: MsisdnText = ""
    display_name: Display = ""
    password: Password | None = None


class SignUp(Body):
    name: NameText
    password: Password
    display_name: Display = ""


class SignIn(Body):
    name: Annotated[str, StringConstraints(max_length=64)]
    password: Annotated[SecretStr, Field(max_length=256)]


class NewPassword(Body):
    password: Password
    current: Annotated[SecretStr | None, Field(max_length=256, description="Needed for one's own.")] = None


class StatusChange(Body):
    status: Annotated[str, StringConstraints(pattern=STATUS)]


class PayIn(Body):
    amount: Annotated[int, Field(ge=1, le=MAX_PUBLIC_OCTETS, description=_MINOR, examples=[2000])]
    currency: Currency = "EUR"


class Purchase(Body):
    plan: NameText


class TopUp(Body):
    octets: SomeOctets
    valid_days: Days = 30


class NewVouchers(Body):
    """A batch of codes, each for octets or for money."""

    batch: NameText
    operator: NameText = "home"
    count: Annotated[int, Field(ge=1, le=5000)]
    octets: Annotated[int, Field(ge=0, le=MAX_PUBLIC_OCTETS)] = 0
    valid_days: Days = 30
    amount: Annotated[int, Field(ge=0, le=MAX_PUBLIC_OCTETS, description=_MINOR)] = 0
    currency: Currency = "EUR"
    good_days: Annotated[int, Field(ge=1, le=3650, description="How long the codes can be redeemed.")] = 365

    @model_validator(mode="after")
    def one_worth(self) -> NewVouchers:
        if bool(self.octets) == bool(self.amount):
            raise ValueError("a voucher is worth either octets or an amount of money")
        return self


class VoucherCode(Body):
    code: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class NewPeer(Body):
    origin_host: Annotated[str, StringConstraints(pattern=ORIGIN_HOST), Field(examples=["smf.open5gs.test"])]
    profile: Annotated[str, StringConstraints(pattern=PROFILE)] = DEFAULT


class CodeRequest(Body):
    hours: Annotated[int | None, Field(ge=1, le=8760, description="None as settings say.")] = None


class OperatorCodeRequest(CodeRequest):
    operator: NameText = "home"


class Binding(Body):
    binding_code: Annotated[str, StringConstraints(min_length=4, max_length=64), Field(examples=["7K2M-9QXD-V4TH"])]


class NewSims(Body):
    """A range of profiles made up from prefixes."""

    operator: NameText = "home"
    count: Annotated[int, Field(ge=1, le=10_000)]
    issuer: Annotated[str, Field(description="ICCID digits that start with 89.")] = "89001"
    imsi_prefix: Annotated[str, Field(description="MCC and MNC first.")] = "00101"
    first: Annotated[int | None, Field(ge=0, description="First number; None goes on behind the last.")] = None


class SimImport(Body):
    operator: NameText = "home"
    csv: Annotated[str, Field(examples=["iccid,imsi\n8900100000000000001,001010000000001\n"])]


Period = Annotated[str, StringConstraints(pattern=PERIOD), Field(examples=["2026-11"])]
WhenText = Annotated[
    int | None, Field(ge=1, le=876_000, description="Hours from now, a hundred years at most; None is without end.")
]
PerGigabyte = Annotated[
    int | None,
    Field(ge=0, le=MAX_PUBLIC_OCTETS, description="Minor units for 10^9 octets; None is octet for octet."),
]


class NewSupply(Body):
    """Consent to be drained: how much, to whom, at which price, until when, where."""

    octets: SomeOctets
    per_day: Annotated[int | None, Field(ge=1, le=MAX_PUBLIC_OCTETS)] = None
    circle: NameText | None = None
    person: NameText | None = None
    per_gb: PerGigabyte = None
    currency: Currency = "EUR"
    hours: WhenText = None
    base_stations: Annotated[list[str], Field(max_length=100, description="Empty is everywhere.")] = []
    operators: Annotated[list[NameText], Field(max_length=100, description="Empty is all.")] = []
    terminal: str = ""

    @model_validator(mode="after")
    def one_audience(self) -> NewSupply:
        if self.circle and self.person:
            raise ValueError("name a circle or a person, not both")
        return self


class NewDemand(Body):
    """To go online without a terminal of one's own: a bound and a passcode."""

    octets: SomeOctets
    per_gb: PerGigabyte = None
    currency: Currency = "EUR"
    hours: WhenText = None


class NewCircle(Body):
    name: NameText
    members: Annotated[list[NameText], Field(max_length=1000)]


class Payment(Body):
    to: NameText
    amount: Annotated[int, Field(ge=1, le=MAX_PUBLIC_OCTETS, description=_MINOR)]
    currency: Currency = "EUR"


class DisputeNote(Body):
    note: Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_for_people)]
