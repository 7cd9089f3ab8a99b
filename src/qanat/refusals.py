"""Refusals: ordinary answers with a reason code, a sentence and the cure.

A refusal is returned, never raised: it says who may not have what, and what to do about it. Each front has one table from
refusal to its protocol's code. ``qanat why`` prints the facts that a refusal carries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from qanat.phrases import WORDED, closed_up, in_chinese


class Refusal(StrEnum):
    """Why not. The value is the reason code that people and programs see."""

    # who is asking
    UNKNOWN_SUBSCRIBER = "unknown_subscriber"
    SUBSCRIBER_SUSPENDED = "subscriber_suspended"
    UNKNOWN_TERMINAL = "unknown_terminal"
    TERMINAL_UNBOUND = "terminal_unbound"
    TERMINAL_REVOKED = "terminal_revoked"
    BOUND_TO_ANOTHER = "bound_to_another"
    NO_IDENTITY = "no_identity"
    # requests that prove nothing
    WRONG_SIGNATURE = "wrong_signature"
    CLOCK_SKEW = "clock_skew"
    REPLAYED = "replayed"
    # enrolment and the SIM pool
    UNKNOWN_CODE = "unknown_code"
    CODE_EXPIRED = "code_expired"
    CODE_USED = "code_used"
    KEY_ENROLLED = "key_enrolled"
    TOO_MANY_CODES = "too_many_codes"
    UNKNOWN_BINDING_CODE = "unknown_binding_code"
    POOL_EMPTY = "pool_empty"
    # signing in
    WRONG_SIGN_IN = "wrong_sign_in"
    TOO_MANY_TRIES = "too_many_tries"
    SIGNED_OUT = "signed_out"
    NOT_ALLOWED = "not_allowed"
    SUBSCRIBER_NOT_NAMED = "subscriber_not_named"
    # buying
    UNKNOWN_PLAN = "unknown_plan"
    PLAN_SOLD_OUT = "plan_sold_out"
    WALLET_TOO_SMALL = "wallet_too_small"
    TOO_MANY_BUCKETS = "too_many_buckets"
    # vouchers
    MISSPELT_VOUCHER = "misspelt_voucher"
    UNKNOWN_VOUCHER = "unknown_voucher"
    VOUCHER_USED = "voucher_used"
    VOUCHER_EXPIRED = "voucher_expired"
    # names and repeats
    NAME_TAKEN = "name_taken"
    UNKNOWN_OPERATOR = "unknown_operator"
    NOT_FOUND = "not_found"
    KEY_REUSED = "key_reused"
    REQUEST_REUSED = "request_reused"
    # quotas
    CREDIT_LIMIT_REACHED = "credit_limit_reached"
    UNITS_USED_UP = "units_used_up"
    ALL_OR_NOTHING = "all_or_nothing"
    TOO_MANY_QUOTAS = "too_many_quotas"
    UNKNOWN_SESSION = "unknown_session"
    SESSION_CLOSED = "session_closed"
    SESSION_OPEN = "session_open"
    IMPLAUSIBLE_USAGE = "implausible_usage"
    # single events
    NOT_RATED = "not_rated"
    REFUND_TOO_LARGE = "refund_too_large"
    # identity codes
    MISSPELT_IDENTITY = "misspelt_identity"
    UNKNOWN_IDENTITY = "unknown_identity"
    IDENTITY_REVOKED = "identity_revoked"
    WRONG_KIND_OF_IDENTITY = "wrong_kind_of_identity"
    IDENTITY_SWAPPED = "identity_swapped"
    PROOF_MISSING = "proof_missing"
    UNKNOWN_PASSCODE = "unknown_passcode"
    UNKNOWN_BASE_STATION = "unknown_base_station"
    BASE_STATION_REVOKED = "base_station_revoked"
    # the exchange
    OWN_TRAFFIC = "own_traffic"
    NO_SUPPLY = "no_supply"
    NO_SUPPLY_ORDER = "no_supply_order"
    ORDER_STOPPED = "order_stopped"
    ORDER_EXPIRED = "order_expired"
    ORDER_EXHAUSTED = "order_exhausted"
    ORDER_USED_UP_TODAY = "order_used_up_today"
    DEMAND_OBTAINED = "demand_obtained"
    ORDER_NOT_FOR_YOU = "order_not_for_you"
    ORDER_NOT_HERE = "order_not_here"
    PRICE_TOO_HIGH = "price_too_high"
    SUPPLIER_SHORT = "supplier_short"
    SUPPLIER_EXPIRED = "supplier_expired"
    TERMINAL_ELSEWHERE = "terminal_elsewhere"
    UNKNOWN_ORDER = "unknown_order"
    UNKNOWN_CIRCLE = "unknown_circle"
    TOO_MANY_ORDERS = "too_many_orders"
    TOO_MANY_CIRCLES = "too_many_circles"
    NOTHING_OWED = "nothing_owed"
    DISPUTE_SETTLED = "dispute_settled"
    # settlement
    PERIOD_CLOSED = "period_closed"
    PERIOD_NOT_BEGUN = "period_not_begun"


@dataclass(frozen=True, slots=True)
class Words:
    """How a refusal is said. ``{…}`` are filled from its facts."""

    sentence: str
    cure: str
    sentence_zh: str
    cure_zh: str


@dataclass(frozen=True, slots=True)
class Refused:
    """One refusal with the facts it rests on: identities, balances, limits."""

    reason: Refusal
    facts: dict[str, int | str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        return WORDS[self.reason].sentence.format_map(_Facts(self.facts))

    @property
    def cure(self) -> str:
        return WORDS[self.reason].cure.format_map(_Facts(self.facts))

    @property
    def sentence_zh(self) -> str:
        return closed_up(WORDS[self.reason].sentence_zh.format_map(_ChineseFacts(self.facts)))

    @property
    def cure_zh(self) -> str:
        return closed_up(WORDS[self.reason].cure_zh.format_map(_ChineseFacts(self.facts)))


_NAMING: Final = frozenset({"created_s", "now_s", "number"})
"""Facts whose integer names a moment or a request, and counts nothing."""


class _Facts(dict[str, int | str]):
    """Facts as a sentence says them, counts with their thousands apart.

    What a caller left out is shown as a dash: a refusal must never fail to say itself.
    """

    def __getitem__(self, key: str) -> int | str:
        fact = super().__getitem__(key)
        return f"{fact:,}" if isinstance(fact, int) and key not in _NAMING else fact

    def __missing__(self, key: str) -> str:
        return "–"


class _ChineseFacts(_Facts):
    """Facts as a Chinese sentence says them: those that are words are no names."""

    def __getitem__(self, key: str) -> int | str:
        fact = super().__getitem__(key)
        return in_chinese(fact) if key in WORDED and isinstance(fact, str) else fact


WORDS: Final[dict[Refusal, Words]] = {
    Refusal.UNKNOWN_SUBSCRIBER: Words(
        "There is no subscriber with the identity {identity}.",
        "Create it with `qanat subscriber create`, or correct the identity that the equipment sends.",
        "没有身份为 {identity} 的用户。",
        "用 `qanat subscriber create` 建立该用户，或更正设备发送的身份。",
    ),
    Refusal.SUBSCRIBER_SUSPENDED: Words(
        "Subscriber {subscriber} is suspended.",
        "The operator {operator} can set the subscriber active again.",
        "用户 {subscriber} 已被停用。",
        "运营商 {operator} 可以重新启用该用户。",
    ),
    Refusal.UNKNOWN_TERMINAL: Words(
        "There is no terminal {terminal}.",
        "Enrol it with `qanat terminal enrol` and a code from its subscriber.",
        "没有终端 {terminal}。",
        "用 `qanat terminal enrol` 和其用户提供的注册码注册该终端。",
    ),
    Refusal.TERMINAL_UNBOUND: Words(
        "Terminal {terminal} is not bound to a subscriber yet.",
        "Its subscriber signs in and binds it with the binding code that `qanat terminal status` shows.",
        "终端 {terminal} 尚未绑定用户。",
        "其用户登录后，用 `qanat terminal status` 显示的绑定码绑定它。",
    ),
    Refusal.TERMINAL_REVOKED: Words(
        "Terminal {terminal} was revoked.",
        "Ask the operator; a revoked terminal enrols anew with a new key and code.",
        "终端 {terminal} 已被注销。",
        "请联系运营商；被注销的终端须用新密钥和新注册码重新注册。",
    ),
    Refusal.BOUND_TO_ANOTHER: Words(
        "{thing} is bound to another subscriber.",
        "Its subscriber or operator ends that with `qanat terminal revoke`; then enrol anew, with a new key and code.",
        "{thing} 已绑定另一用户。",
        "须先由其用户或运营商用 `qanat terminal revoke` 解除绑定，再用新密钥和新注册码重新注册。",
    ),
    Refusal.NO_IDENTITY: Words(
        "The request names no subscriber.",
        "Send a Subscription-Id with the IMSI or the telephone number.",
        "请求没有说明用户身份。",
        "请在 Subscription-Id 中发送 IMSI 或电话号码。",
    ),
    Refusal.WRONG_SIGNATURE: Words(
        "The signature does not fit these bytes and the key of {key_id}.",
        "Sign the exact bytes with the enrolled key; enrol again if the key was lost.",
        "签名与内容及 {key_id} 的密钥不符。",
        "用已注册的密钥对原始字节签名；密钥丢失则重新注册。",
    ),
    Refusal.CLOCK_SKEW: Words(
        "The request was signed at {created_s}, the server's clock says {now_s}: more than {window_s} s apart.",
        "Correct the device's clock, or sign with the time from the Date header of this answer.",
        "请求签名时间为 {created_s}，服务器时间为 {now_s}：相差超过 {window_s} 秒。",
        "校正设备时钟，或用本应答 Date 头中的时间签名。",
    ),
    Refusal.REPLAYED: Words(
        "This signed request was received before (nonce {nonce}).",
        "Sign each request anew, with a fresh nonce.",
        "此签名请求先前已收到过（随机数 {nonce}）。",
        "每个请求都要用新的随机数重新签名。",
    ),
    Refusal.UNKNOWN_CODE: Words(
        "There is no such code.",
        "Check the spelling, or issue a new code: `qanat {device} code`.",
        "没有这个码。",
        "检查拼写，或重新签发：`qanat {device} code`。",
    ),
    Refusal.CODE_EXPIRED: Words(
        "The code ran out at {expired_at}.",
        "Issue a new code: `qanat {device} code`.",
        "该码已于 {expired_at} 过期。",
        "重新签发：`qanat {device} code`。",
    ),
    Refusal.CODE_USED: Words(
        "The code was used already, by another key.",
        "Issue a new code: `qanat {device} code`; each is good once.",
        "该码已被另一密钥使用。",
        "重新签发：`qanat {device} code`；每个码只能用一次。",
    ),
    Refusal.KEY_ENROLLED: Words(
        "The key of this device is enrolled already, as {device}.",
        "Go on as {device} with `qanat {command} run`, unless it was revoked. To enrol anew, give an empty folder: --state.",
        "此设备的密钥已注册为 {device}。",
        "如未被注销，可用 `qanat {command} run` 继续使用 {device}。如要重新注册，请用 --state 指定空文件夹。",
    ),
    Refusal.TOO_MANY_CODES: Words(
        "{issuer} has {codes} codes that wait to be used, the most there may be.",
        "Enrol with those first, or wait until some have run out.",
        "{issuer} 有 {codes} 个尚未使用的注册码，已达上限。",
        "请先用它们注册，或等其中一些过期。",
    ),
    Refusal.UNKNOWN_BINDING_CODE: Words(
        "No terminal shows this binding code.",
        "Type in what `qanat terminal status` shows on the device; a terminal that is bound shows none.",
        "没有终端显示此绑定码。",
        "请输入设备上 `qanat terminal status` 显示的绑定码；已绑定的终端不再显示。",
    ),
    Refusal.POOL_EMPTY: Words(
        "Operator {operator} has no free cloud SIM left.",
        "Add profiles with `qanat sim import` or `qanat sim make`.",
        "运营商 {operator} 已没有空闲的云SIM卡。",
        "用 `qanat sim import` 或 `qanat sim make` 添加。",
    ),
    Refusal.WRONG_SIGN_IN: Words(
        "Name and password do not fit together.",
        "Check both; the operator can set a new one (`qanat password`).",
        "名称与密码不符。",
        "请检查两者；运营商可以设置新密码（`qanat password`）。",
    ),
    Refusal.TOO_MANY_TRIES: Words(
        "Too many tries.",
        "Wait {wait_s} s and try again.",
        "尝试次数过多。",
        "请等待 {wait_s} 秒后再试。",
    ),
    Refusal.SIGNED_OUT: Words(
        "No valid sign-in came with this request.",
        "Sign in, or give the token: --token-file or QANAT_TOKEN.",
        "请求没有有效的登录。",
        "请登录，或提供令牌：--token-file 或 QANAT_TOKEN。",
    ),
    Refusal.NOT_ALLOWED: Words(
        "{who} may not do this.",
        "Sign in as {needed}, or ask somebody who is.",
        "{who} 无权这样做。",
        "请以 {needed} 的身份登录，或请其代办。",
    ),
    Refusal.SUBSCRIBER_NOT_NAMED: Words(
        "{who} is staff and owns nothing: a subscriber must be named.",
        "Say whose: `--subscriber NAME`; for the code of a terminal that is bound later, `--operator NAME`.",
        "{who} 是工作人员，名下没有任何东西：须指明用户。",
        "请用 `--subscriber NAME` 指明用户；若登记码用于以后再绑定的终端，请用 `--operator NAME`。",
    ),
    Refusal.UNKNOWN_PLAN: Words(
        "There is no plan {plan} on sale.",
        "List the plans with `qanat plan list`.",
        "没有在售套餐 {plan}。",
        "用 `qanat plan list` 查看套餐。",
    ),
    Refusal.PLAN_SOLD_OUT: Words(
        "Plan {plan} is sold out: all {stock} are sold.",
        "Choose another plan.",
        "套餐 {plan} 已售罄：{stock} 份全部售出。",
        "请选择其他套餐。",
    ),
    Refusal.WALLET_TOO_SMALL: Words(
        "The wallet holds {wallet} {currency}, {price} {currency} are needed.",
        "Redeem a voucher (`qanat voucher redeem`), or have your operator pay money in (`qanat pay-in`), then try again.",
        "钱包余额 {wallet} {currency}，需要 {price} {currency}。",
        "先兑换充值券（`qanat voucher redeem`），或请运营商为钱包充值（`qanat pay-in`），然后再试。",
    ),
    Refusal.TOO_MANY_BUCKETS: Words(
        "{subscriber} has {buckets} buckets that are not used up, the most there may be.",
        "Let some be used up or expire first; give more at a time.",
        "{subscriber} 有 {buckets} 份未用完的流量，已达上限。",
        "请等其中一些用完或到期；每次请多充一些。",
    ),
    Refusal.MISSPELT_VOUCHER: Words(
        "This is no voucher's code: its check symbol does not fit.",
        "Type it again, letter by letter: 16 symbols; case and dashes do not matter.",
        "这不是充值券码：校验位不符。",
        "请逐字重新输入：共 16 个字符，不分大小写，可不写连字符。",
    ),
    Refusal.UNKNOWN_VOUCHER: Words(
        "There is no such voucher.",
        "Type the code again, or ask whoever sold the voucher.",
        "没有这张充值券。",
        "请重新输入，或询问出售充值券的人。",
    ),
    Refusal.VOUCHER_USED: Words(
        "The voucher was redeemed at {at}.",
        "Each voucher is good once; ask whoever sold it if it was not you.",
        "该充值券已于 {at} 兑换。",
        "每张充值券只能兑换一次；若不是您本人兑换，请询问出售者。",
    ),
    Refusal.VOUCHER_EXPIRED: Words(
        "The voucher was good until {at}.",
        "Ask whoever sold it for another one.",
        "该充值券的有效期至 {at}。",
        "请向出售者换取另一张。",
    ),
    Refusal.NAME_TAKEN: Words(
        "{thing} exists already.",
        "Choose another name or number, or use the one that exists.",
        "{thing} 已存在。",
        "请换一个名称或号码，或使用已有的。",
    ),
    Refusal.UNKNOWN_OPERATOR: Words(
        "There is no operator {operator}.",
        "Check the spelling, or create it: `qanat operator create`.",
        "没有运营商 {operator}。",
        "检查拼写，或用 `qanat operator create` 建立。",
    ),
    Refusal.NOT_FOUND: Words(
        "There is no {thing}.",
        "Check the name; lists show what there is.",
        "没有 {thing}。",
        "请检查名称；列表会显示现有的内容。",
    ),
    Refusal.KEY_REUSED: Words(
        "The Idempotency-Key {key} was used before with another request.",
        "Use a new key for a new request.",
        "Idempotency-Key {key} 先前已用于另一请求。",
        "新的请求要用新的键。",
    ),
    Refusal.REQUEST_REUSED: Words(
        "Request {number} of session {session} was answered before, with other contents or long ago.",
        "A repeat must be identical; a new request needs the next number.",
        "会话 {session} 的请求 {number} 已应答过，且内容不同或时间已久。",
        "重发必须完全相同；新请求须用下一个编号。",
    ),
    Refusal.CREDIT_LIMIT_REACHED: Words(
        "Nothing is left: {available} octets are available to {subscriber}, {reserved} are reserved by open sessions.",
        "Buy a plan: `qanat buy`, or top up: `qanat top-up`.",
        "流量已用完：{subscriber} 可用 {available} 字节，未结束的会话预留了 {reserved} 字节。",
        "购买套餐：`qanat buy`，或充值流量：`qanat top-up`。",
    ),
    Refusal.UNITS_USED_UP: Words(
        "{subscriber} has no {unit} left: {available} are available, {reserved} are reserved by open sessions.",
        "Buy a plan of {unit}: `qanat buy`.",
        "{subscriber} 的 {unit} 已用完：可用 {available}，未结束的会话预留了 {reserved}。",
        "购买以 {unit} 计量的套餐：`qanat buy`。",
    ),
    Refusal.ALL_OR_NOTHING: Words(
        "{wanted} octets were asked for and {available} are available; the plan grants all or nothing.",
        "Ask for no more than what is available, or buy a plan.",
        "请求 {wanted} 字节，可用 {available} 字节；该套餐要么全给，要么不给。",
        "请求不超过可用量，或购买套餐。",
    ),
    Refusal.TOO_MANY_QUOTAS: Words(
        "Session {session} holds {quotas} quotas, the most that one may have.",
        "Report and give up quotas that are not used, or charge fewer rating groups in one session.",
        "会话 {session} 持有 {quotas} 个配额，已达上限。",
        "请上报并归还不用的配额，或在一个会话中使用较少的费率组。",
    ),
    Refusal.UNKNOWN_SESSION: Words(
        "There is no session {session}.",
        "Start a session with a first interrogation; the usage was kept for the operator.",
        "没有会话 {session}。",
        "以首次请求开始会话；已用流量已为运营商留存。",
    ),
    Refusal.SESSION_CLOSED: Words(
        "Session {session} has ended.",
        "What was used has been counted; start a new session to go on.",
        "会话 {session} 已结束。",
        "已用流量已计入；如要继续请开始新会话。",
    ),
    Refusal.SESSION_OPEN: Words(
        "Session {session} is open already.",
        "Go on with intermediate interrogations, or choose a new session identifier.",
        "会话 {session} 已经打开。",
        "请继续发送中间请求，或换一个会话标识。",
    ),
    Refusal.IMPLAUSIBLE_USAGE: Words(
        "{octets} octets in one report cannot be: nothing of it was counted.",
        "Look at the device's counters; one report holds at most 2^53-1 octets, all reports of a subscriber 2^63-1.",
        "一次报告 {octets} 字节不可能：未计入任何流量。",
        "请检查设备的计数器；一次报告最多 2^53-1 字节，一个用户的全部报告最多 2^63-1 字节。",
    ),
    Refusal.NOT_RATED: Words(
        "What {service} costs is not known here.",
        "Ask for octets; their price is the plan's that they come from.",
        "此处不知道 {service} 的价格。",
        "请按字节请求；价格由其所属套餐决定。",
    ),
    Refusal.REFUND_TOO_LARGE: Words(
        "{wanted} octets were to be given back, and only {used} were ever taken.",
        "Give back no more than what was debited.",
        "要退回 {wanted} 字节，而只扣减过 {used} 字节。",
        "退回的不能超过已扣减的。",
    ),
    Refusal.MISSPELT_IDENTITY: Words(
        "{code} is no identity code: its check digit does not fit.",
        "Type it again, letter by letter, or scan it.",
        "{code} 不是身份识别码：校验位不符。",
        "请逐字重新输入，或扫描二维码。",
    ),
    Refusal.UNKNOWN_IDENTITY: Words(
        "Nobody has the identity code {code}.",
        "Ask its holder for the code that `qanat identity` shows.",
        "没有人持有身份识别码 {code}。",
        "请向持有者索取 `qanat identity` 显示的识别码。",
    ),
    Refusal.IDENTITY_REVOKED: Words(
        "The identity code {code} was revoked.",
        "Its holder has a new one: `qanat identity` shows it.",
        "身份识别码 {code} 已被撤销。",
        "持有者已有新码，可用 `qanat identity` 查看。",
    ),
    Refusal.WRONG_KIND_OF_IDENTITY: Words(
        "The identity code {code} belongs to a {kind}, a {needed} was expected.",
        "Present the code of the {needed}.",
        "身份识别码 {code} 属于 {kind}，此处应为 {needed}。",
        "请出示 {needed} 的识别码。",
    ),
    Refusal.IDENTITY_SWAPPED: Words(
        "{thing} belongs to {belongs_to}, not to {presented}.",
        "Present the codes that belong together; a device that changed hands is bound again first.",
        "{thing} 属于 {belongs_to}，不属于 {presented}。",
        "请出示相互对应的识别码；转手的设备须先重新绑定。",
    ),
    Refusal.PROOF_MISSING: Words(
        "Nothing proves that the demander is at this base station.",
        "Let the terminal sign its presentation, or type the passcode of a demand order.",
        "没有任何东西证明需求方就在此基站。",
        "由终端对请求签名，或输入需求单的口令。",
    ),
    Refusal.UNKNOWN_PASSCODE: Words(
        "There is no demand order with this passcode.",
        "Check the spelling, or open a demand order: `qanat demand open` shows its passcode once.",
        "没有使用此口令的需求单。",
        "检查拼写，或新建需求单：`qanat demand open` 会显示一次口令。",
    ),
    Refusal.UNKNOWN_BASE_STATION: Words(
        "There is no base station {base_station}.",
        "Check the spelling (`qanat station list`), or enrol it: `qanat station enrol`, with a code from its subscriber.",
        "没有基站 {base_station}。",
        "检查拼写（`qanat station list`），或用 `qanat station enrol` 和其用户提供的注册码注册。",
    ),
    Refusal.BASE_STATION_REVOKED: Words(
        "Base station {base_station} was revoked.",
        "Ask its operator; it enrols anew with a new key and code.",
        "基站 {base_station} 已被注销。",
        "请联系其运营商；须用新密钥和新注册码重新注册。",
    ),
    Refusal.OWN_TRAFFIC: Words(
        "{subscriber} would supply traffic to itself.",
        "Use it directly with a cloud SIM, or choose another supplier.",
        "{subscriber} 不能向自己供应流量。",
        "请用云SIM卡直接使用，或选择其他供应方。",
    ),
    Refusal.NO_SUPPLY: Words(
        "Nobody supplies traffic to {demander} at base station {base_station} now.",
        "Ask somebody for a supply order (`qanat supply offer`), ask for less, or raise the price you accept.",
        "目前没有人在基站 {base_station} 向 {demander} 供应流量。",
        "请他人发布供应单（`qanat supply offer`）、减少请求量，或提高可接受的价格。",
    ),
    Refusal.NO_SUPPLY_ORDER: Words(
        "{supplier} has no open supply order.",
        "{supplier} opens one with `qanat supply offer`; without it nothing is taken.",
        "{supplier} 没有有效的供应单。",
        "由 {supplier} 用 `qanat supply offer` 发布；没有供应单就不会动用其流量。",
    ),
    Refusal.ORDER_STOPPED: Words(
        "Order {order} was stopped at {at}.",
        "Choose another supplier, or ask {holder} for a new order.",
        "订单 {order} 已于 {at} 停止。",
        "请选择其他供应方，或请 {holder} 发布新订单。",
    ),
    Refusal.ORDER_EXPIRED: Words(
        "Order {order} ran out at {at}.",
        "Choose another supplier, or ask {holder} for a new order.",
        "订单 {order} 已于 {at} 到期。",
        "请选择其他供应方，或请 {holder} 发布新订单。",
    ),
    Refusal.ORDER_EXHAUSTED: Words(
        "Order {order} has {left} octets left of {total}: too few for what is asked.",
        "Ask for less, choose another supplier, or ask {holder} for a new order.",
        "订单 {order} 在 {total} 字节中还剩 {left} 字节，不足以满足请求。",
        "请减少请求量、选择其他供应方，或请 {holder} 发布新订单。",
    ),
    Refusal.DEMAND_OBTAINED: Words(
        "{demand} asks for no more than {total} octets here, and {demander} has been granted them.",
        "Ask for more: `qanat demand open` gives a new passcode, `qanat terminal join` begins anew.",
        "{demand} 在此最多请求 {total} 字节，且已全部授予 {demander}。",
        "请重新申请：`qanat demand open` 给出新口令，或重新运行 `qanat terminal join`。",
    ),
    Refusal.ORDER_USED_UP_TODAY: Words(
        "Order {order} has {left} octets left today of {per_day}: too few for what is asked.",
        "Ask for less, come back after midnight UTC, or choose another supplier.",
        "订单 {order} 今天在 {per_day} 字节中还剩 {left} 字节，不足以满足请求。",
        "请减少请求量、在 UTC 午夜之后再来，或选择其他供应方。",
    ),
    Refusal.ORDER_NOT_FOR_YOU: Words(
        "Order {order} is for {audience}; {demander} is not among them.",
        "Ask {holder} to let you in, or choose another supplier.",
        "订单 {order} 只面向 {audience}，不包括 {demander}。",
        "请 {holder} 将您加入，或选择其他供应方。",
    ),
    Refusal.ORDER_NOT_HERE: Words(
        "Order {order} is not valid at base station {base_station} of operator {operator}.",
        "Go to a base station that the order names, or choose another supplier.",
        "订单 {order} 在运营商 {operator} 的基站 {base_station} 不适用。",
        "请到订单指定的基站，或选择其他供应方。",
    ),
    Refusal.PRICE_TOO_HIGH: Words(
        "Order {order} costs {price} for a gigabyte, at most {accepted} is accepted.",
        "Accept a higher price, or choose another supplier.",
        "订单 {order} 每千兆字节价格为 {price}，最高接受 {accepted}。",
        "请接受更高价格，或选择其他供应方。",
    ),
    Refusal.SUPPLIER_SHORT: Words(
        "{supplier} has {available} octets available: too few for what is asked.",
        "Ask for less, choose another supplier, or let {supplier} buy a plan.",
        "{supplier} 可用 {available} 字节，不足以满足请求。",
        "请减少请求量、选择其他供应方，或由 {supplier} 购买套餐。",
    ),
    Refusal.SUPPLIER_EXPIRED: Words(
        "What {supplier} has bought ran out at {at}.",
        "Choose another supplier, or let {supplier} buy a plan.",
        "{supplier} 购买的套餐已于 {at} 到期。",
        "请选择其他供应方，或由 {supplier} 购买套餐。",
    ),
    Refusal.TERMINAL_ELSEWHERE: Words(
        "{terminal} is online at base station {base_station} already.",
        "Leave that base station first. Where it died or lost the server, the place is free 20 minutes after its last grant.",
        "{terminal} 已在基站 {base_station} 上网。",
        "请先离开该基站。若该基站已失效或连不上服务器，则在其最后一次授予 20 分钟后即可在此上网。",
    ),
    Refusal.UNKNOWN_ORDER: Words(
        "There is no order {order}.",
        "List your orders: `qanat supply list`, `qanat demand list`.",
        "没有订单 {order}。",
        "查看订单：`qanat supply list`、`qanat demand list`。",
    ),
    Refusal.UNKNOWN_CIRCLE: Words(
        "{subscriber} has no circle {circle}.",
        "Make it first: `qanat supply circle`.",
        "{subscriber} 没有圈子 {circle}。",
        "请先建立：`qanat supply circle`。",
    ),
    Refusal.TOO_MANY_ORDERS: Words(
        "{subscriber} has {orders} orders of this kind, the most there may be.",
        "Stop what is not needed; 30 days after its end an order is forgotten and makes room.",
        "{subscriber} 有 {orders} 个此类订单，已达上限。",
        "请停止不需要的订单；订单结束 30 天后会被删除，腾出位置。",
    ),
    Refusal.TOO_MANY_CIRCLES: Words(
        "{subscriber} has {circles} circles, the most there may be.",
        "Give one that exists other members: `qanat supply circle`.",
        "{subscriber} 有 {circles} 个圈子，已达上限。",
        "请更换已有圈子的成员：`qanat supply circle`。",
    ),
    Refusal.NOTHING_OWED: Words(
        "{debtor} owes {creditor} {owed} {currency}; {amount} {currency} were to be paid.",
        "Pay at most what is owed: `qanat trades --statement` shows it.",
        "{debtor} 欠 {creditor} {owed} {currency}；却要支付 {amount} {currency}。",
        "支付不超过所欠金额：`qanat trades --statement` 可查看。",
    ),
    Refusal.DISPUTE_SETTLED: Words(
        "The dispute about {trade} was settled at {at}; its note can't change.",
        "Read the note: `qanat disputes` shows it.",
        "关于 {trade} 的争议已于 {at} 解决，其说明不可更改。",
        "请查看说明：`qanat disputes`。",
    ),
    Refusal.PERIOD_CLOSED: Words(
        "Period {period} was closed at {at}; it can't change.",
        "Later trades are in the next open period.",
        "账期 {period} 已于 {at} 关账，不可更改。",
        "之后的交易计入下一个未关账期。",
    ),
    Refusal.PERIOD_NOT_BEGUN: Words(
        "Period {period} has not begun; what is closed is closed for ever.",
        "Correct the month: {now} is running.",
        "账期 {period} 尚未开始；一经关账即不可更改。",
        "更正月份：当前账期为 {now}。",
    ),
}
assert WORDS.keys() == set(Refusal), "every refusal has its words"
