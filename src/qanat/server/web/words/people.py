"""Chinese of the subscribers' face."""

from __future__ import annotations

from typing import Final

CHINESE: Final[dict[str, str]] = {
    # overview
    "Hello, {name}": "您好，{name}",
    "Buy traffic": "购买流量",
    "Used so far": "累计已用",
    "Set aside for what runs now": "正在使用的预留",
    "used after everything was used up; the next plan pays it first.": "用尽之后继续使用的流量，下一个套餐先行抵付。",
    "In order of use": "按使用顺序",
    "Top-up": "赠送流量",
    "until": "有效期至",
    "it is used up": "用完为止",
    "There is nothing to use. Buy a plan, and it is here at once.": "没有可用流量。购买套餐后立即到账。",
    "Running now": "正在使用",
    "online": "在线",
    "to {name}": "给 {name}",
    "What you can do next": "接下来可以",
    "Buy a plan, or redeem a voucher.": "购买套餐，或兑换充值券。",
    "Bring in a terminal: it gets a cloud SIM and goes online on what you bought.": (
        "登记一个终端：它会得到一张云SIM卡，用您购买的流量上网。"
    ),
    "Lend what you can spare; it pays for what you borrow later.": "把富余的流量借出，以后借入时抵扣。",
    "It is bought and ready to use.": "购买成功，可以使用了。",
    "The voucher is redeemed.": "充值券已兑换。",
    "Your operator has suspended you: nothing is granted until it sets you active again. Ask {operator}.": (
        "运营商已将您停用：恢复之前不再授予流量。请联系 {operator}。"
    ),
    # plans
    "Bought from your wallet, ready at once. What is not used by its end is gone. The overview lists what you have in "
    "the order in which it is used.": "用钱包购买，立即可用。到期未用完的作废。总览按使用顺序列出您的流量。",
    "empty": "空",
    "free of charge": "免费",
    "{n} days": "{n} 天",
    "{n} left": "剩 {n} 份",
    "Buy": "购买",
    "Buy {plan}": "购买 {plan}",
    "Buy for {price}": "支付 {price}",
    "Take it": "领取",
    "Not now": "暂不",
    "Good for": "有效期",
    "Wallet now": "钱包现有",
    "Wallet afterwards": "购买后剩",
    "Your wallet holds too little. Pay in at your operator, or redeem a voucher.": (
        "钱包余额不足。请向运营商充值，或兑换充值券。"
    ),
    "Back to the plans": "回到套餐",
    "Your operator sells no plan yet. Ask it, or redeem a voucher.": "运营商还没有在售套餐。请询问运营商，或兑换充值券。",
    "Redeem a voucher": "兑换充值券",
    "Code of the voucher": "充值券号码",
    "Redeem": "兑换",
    "This plan is not on sale.": "这个套餐不在售。",
    "Choose another plan.": "请选择其他套餐。",
    # terminals, cloud SIMs, base stations
    "Your devices, each with the cloud SIM that was lent to it.": "您的设备，以及借给它们的云SIM卡。",
    "Terminals and cloud SIMs": "终端与云SIM卡",
    "New terminal": "新终端",
    "cloud SIM {iccid}": "云SIM卡 {iccid}",
    "no cloud SIM": "无云SIM卡",
    "since": "自",
    "Details": "详情",
    "Details of {thing}": "{thing} 的详情",
    "No terminal yet. A new one gets a code to type in or scan.": "还没有终端。新终端会得到一个可输入或扫描的码。",
    "A terminal that shows a code": "显示绑定码的终端",
    "Your operator may have given you one. Type in what it shows, and it is yours.": (
        "如果运营商给了您终端，输入它显示的码即可归您所有。"
    ),
    "Binding code": "绑定码",
    "Bind": "绑定",
    "New base station": "新基站",
    "A base station is a Linux gateway that lets people near you use what others lend.": (
        "基站是一台 Linux 网关，让附近的人使用别人借出的流量。"
    ),
    "Hardware": "硬件",
    "Serial number": "序列号",
    "Version": "版本",
    "Enrolled": "登记时间",
    "End this terminal": "停用此终端",
    "Lost or sold? Its cloud SIM goes back to the pool and its key is never accepted again. This can't be undone.": (
        "丢失或转让？它的云SIM卡将归还卡池，密钥永久失效，无法恢复。"
    ),
    "End this base station": "停用此基站",
    "It admits nobody any more and is granted nothing. What it still reports is counted. This can't be undone.": (
        "它不再接入任何人，也不再获得流量；之后上报的用量仍会计入。无法恢复。"
    ),
    "End it for ever": "永久停用",
    "All terminals": "全部终端",
    "This code is shown once and is good for one device, until {at}.": (
        "此码只显示一次，仅供一台设备使用，有效期至 {at}。"
    ),
    "Enrolment code": "登记码",
    "Copy": "复制",
    "Copied": "已复制",
    "On the device": "在设备上",
    "Type this in; name the interface that is to be metered.": "输入下面的命令，写明要计量的网络接口。",
    "Type this in; name the place as people call it.": "输入下面的命令，写明地点的俗称。",
    # usage
    "Every octet in the hour in which it was booked, what you lent among it. Days are UTC.": (
        "每个字节计入入账的那一小时，包括您借出的流量。日期为 UTC。"
    ),
    "Today": "今天",
    "7 days": "7 天",
    "31 days": "31 天",
    "By the hour, two days": "按小时，两天",
    "By the day, one month": "按天，一个月",
    "Span": "跨度",
    "By day": "按天",
    "By hour": "按小时",
    "The figures": "数字",
    "Hour (UTC)": "小时（UTC）",
    "Day (UTC)": "日期（UTC）",
    # lending
    "Say how much others may use. Nothing is taken without your word, and one tap ends it.": (
        "说明别人可以用多少。未经您同意一个字节也不会动，一键即可停止。"
    ),
    "What you lend": "正在出借",
    "for anyone": "给任何人",
    "for {name}": "给 {name}",
    "for the circle {name}": "给圈子 {name}",
    "at most {amount} a day": "每天至多 {amount}",
    "until you stop it": "直到您停止",
    "Stop": "停止",
    "Stop lending {amount}": "停止出借 {amount}",
    "{amount} given": "已给出 {amount}",
    "Who uses it now": "谁正在使用",
    "Nobody uses your traffic now.": "现在没有人使用您的流量。",
    "Lend traffic": "出借流量",
    "You have {amount} left.": "您还剩 {amount}。",
    "How much?": "借多少？",
    "To whom?": "借给谁？",
    "Anyone": "任何人",
    "One person": "某个人",
    "{n} people": "{n} 人",
    "Name of the person": "对方的名称",
    "Price, time and more": "价格、期限等",
    "Another amount": "其他数量",
    "At most a day": "每天至多",
    "Price of 1 GB": "每 GB 价格",
    "Empty is octet for octet.": "留空则等量互换。",
    "For how long": "期限",
    "one day": "一天",
    "one week": "一周",
    "30 days": "30 天",
    "until I stop it": "直到我停止",
    "Lend it": "出借",
    "Circles: people you name together": "圈子：一起指定的人",
    "Name of the circle": "圈子名称",
    "Names of its people": "成员的名称",
    "Save the circle": "保存圈子",
    "Orders that are over": "已结束的供应单",
    "opened": "开始于",
    "Your order stands. Nobody takes more than you said, and you can stop it at any time.": (
        "供应单已生效。没有人能超过您说的数量，您可以随时停止。"
    ),
    "It is stopped. Whoever was using it is being told to end.": "已停止，正在使用的人会被通知结束。",
    "The circle is saved.": "圈子已保存。",
    # borrowing
    "Go online at a base station on what somebody else lends. What you lent before pays for it.": (
        "在基站用别人借出的流量上网，您以前借出的会抵扣。"
    ),
    "Your identity code": "您的身份识别码",
    "Others name you by it: say it, or let them scan it. It proves nothing by itself, so nobody can borrow in your name.": (
        "别人用它指明您：念出来，或让对方扫描。它本身不能证明身份，所以没有人能冒用您的名义借用。"
    ),
    "Replace it": "更换",
    "The old one is refused from then on, wherever it was written down.": "旧的从此被拒绝，无论写在哪里。",
    "Offers": "可借的流量",
    "What others would lend you now, the best first. At a base station the best one is taken by itself, or the one whose "
    "code you name.": "现在别人愿意借给您的，最合适的在前。在基站会自动选用最合适的一个，或您指明身份码的那一个。",
    "From": "供应方",
    "Up to": "至多",
    "Until": "截止",
    "Where": "地点",
    "Identity code": "身份识别码",
    "for you": "专给您",
    "open end": "不限期",
    "everywhere": "任何地点",
    "Nobody offers you anything now. Give somebody your identity code and ask.": (
        "现在没有人借给您。把身份识别码告诉别人，请他借给您。"
    ),
    "A passcode for any device": "任何设备可用的口令",
    "Type it in at a base station with a plain browser. It opens no more than you say here.": (
        "在基站用普通浏览器输入即可，用量不会超过您在这里说的。"
    ),
    "The most for 1 GB": "每 GB 最高价",
    "Empty accepts only octet for octet.": "留空则只接受等量互换。",
    "Get a passcode": "获取口令",
    "Open passcodes": "有效的口令",
    "of": "/",
    "Stop the passcode for {amount}": "停止 {amount} 的口令",
    "What you borrowed": "借入记录",
    "from {name}": "来自 {name}",
    "Passcode": "口令",
    "Your passcode": "您的口令",
    "It is shown this once. Whoever knows it goes online in your name, up to the bound.": (
        "只显示这一次。知道它的人可以以您的名义上网，但不会超过上限。"
    ),
    "For {amount} in all.": "总共 {amount}。",
    "I have written it down": "我已记下",
    "The passcode opens nothing any more.": "口令已失效。",
    "You have a new identity code; the old one is refused from now on.": "您有了新的身份识别码，旧的从现在起被拒绝。",
    # the statement
    "What you gave and obtained, with whom. What you gave pays for what you obtain later, oldest first.": (
        "您与别人之间的给出和获得。给出的会抵扣以后获得的，先给先抵。"
    ),
    "{name} owes you": "{name} 欠您",
    "You owe {name}": "您欠 {name}",
    "You are even.": "两清。",
    "On {day} you gave {other} {amount}.": "{day}，您给了 {other} {amount}。",
    "On {day} {other} gave you {amount}.": "{day}，{other} 给了您 {amount}。",
    "On {day} {other} used traffic of yours for {amount}.": "{day}，{other} 使用了您价值 {amount} 的流量。",
    "On {day} you used traffic of {other} for {amount}.": "{day}，您使用了 {other} 价值 {amount} 的流量。",
    "On {day} {amount} more were paid than was owed.": "{day}，多付了 {amount}。",
    "{amount} of it were offset against {day}, when it went the other way.": "其中 {amount} 与 {day} 的反向流量相抵。",
    "{amount} of it were offset on {day}.": "其中 {amount} 于 {day} 抵扣。",
    "{amount} of it were paid on {day}.": "其中 {amount} 于 {day} 付清。",
    "{amount} of it are open.": "其中 {amount} 尚未结清。",
    "Nothing of it is open.": "已全部结清。",
    "Pay from the wallet ({currency})": "用钱包支付（{currency}）",
    "Pay": "支付",
    "The wallet holds {amount}.": "钱包现有 {amount}。",
    "It is paid.": "已支付。",
    "There is nothing between you and anybody yet.": "您与别人之间还没有往来。",
    "Where base station, terminal and ledger counted differently.": "基站、终端与账本计数不一致之处。",
    # account
    "Here since": "注册时间",
    "New password": "新密码",
    "Current password": "当前密码",
    "Change it": "更改",
    "You have a new password. Your other sign-ins have ended.": "密码已更改，其他登录已结束。",
    # refusals
    "What was refused to you in the last week, and what helps.": "最近一周对您的拒绝，以及解决办法。",
    # what is written into fields
    # names of fields, for a form that is sent again
    "octets": "流量",
    "other": "其他数量",
    "audience": "借给谁",
    "person": "对方",
    "per_day": "每天至多",
    "price": "价格",
    "hours": "小时",
    "code": "号码",
    "binding_code": "绑定码",
    "circle_name": "圈子",
    "members": "成员",
    "to": "给",
    "amount": "金额",
    "currency": "货币",
}
