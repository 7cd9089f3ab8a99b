"""Chinese of what both faces share: the frame, signing in, figures. The words are those of ``docs/glossary.md``."""

from __future__ import annotations

from typing import Final

CHINESE: Final[dict[str, str]] = {
    # the frame
    "Main": "主菜单",
    "Main, at the thumb": "主菜单（底部）",
    "More": "更多",
    "Skip to the content": "跳到正文",
    "The server can't be reached. What you see is as old as this; it goes on by itself.": (
        "无法连接服务器。当前内容可能已过时，恢复后会自动继续。"
    ),
    "Go to {page}": "去{page}",
    "Dark": "深色",
    "Light": "浅色",
    "Pages": "翻页",
    "Next page": "下一页",
    "To the first page": "回到第一页",
    "of operator {name}": "运营商 {name}",
    "administrator": "管理员",
    "operator": "运营商",
    "subscriber": "用户",
    "Mobile data, measured to the octet.": "移动流量，逐字节计量。",
    # the menus
    "Overview": "总览",
    "Lend": "出借",
    "Borrow": "借用",
    "Plans": "套餐",
    "Usage": "用量",
    "Terminals": "终端",
    "Statement": "对账单",
    "Refusals": "拒绝记录",
    "Account": "账户",
    # figures
    "{n} octets": "{n} 字节",
    "{n} units": "{n} 个单位",
    "{n} h": "{n} 小时",
    "{n} min": "{n} 分钟",
    "{n} s": "{n} 秒",
    "octet for octet": "等量互换",
    "just now": "刚刚",
    "{n} min ago": "{n} 分钟前",
    "{n} h ago": "{n} 小时前",
    "{n} days ago": "{n} 天前",
    # the door
    "Welcome": "欢迎",
    "Your mobile data, measured, lent and shared.": "您的流量，精确计量，可借可还。",
    "Buy traffic, use it on your own terminals, lend what you can spare to people nearby, and get it back when you "
    "need some.": "购买流量，用在自己的终端上；把富余的借给附近的人，需要时再还回来。",
    "Exact": "精确",
    "Every octet is counted once. What you did not use comes back to you.": "每个字节只计一次，没有用完的会返还给您。",
    "Only with your consent": "须经您同意",
    "Nothing of yours is ever used by others unless you say how much, to whom and until when; you can stop it with one "
    "tap.": "除非您说明借多少、借给谁、借到何时，否则别人用不到您的流量；一键即可停止。",
    "Fair": "公平",
    "What you lend pays for what you borrow later, oldest first. The statement says how.": (
        "您借出的流量会抵扣以后借入的流量，先借先抵，对账单逐笔说明。"
    ),
    # signing in, up and out
    "Sign in": "登录",
    "Sign up": "注册",
    "Sign out": "退出",
    "For subscribers and for operators.": "用户和运营商都在这里登录。",
    "Name": "名称",
    "Password": "密码",
    "New here?": "第一次来？",
    "You have a name already?": "已有名称？",
    "A name and a password are all it takes.": "只需名称和密码。",
    "Letters, digits and . _ - @, as in alice or alice@example.org.": (
        "字母、数字和 . _ - @，例如 alice 或 alice@example.org。"
    ),
    "A name has letters (a to z), digits and . _ - @, and begins with a letter or digit.": (
        "名称由字母、数字和 . _ - @ 组成，以字母或数字开头。"
    ),
    "What others call you": "别人怎么称呼您",
    "What others call you has at most 200 characters, and no control characters.": "称呼最多 200 个字符，且不能含控制字符。",
    "(if you like)": "（可不填）",
    "At least 8 characters; a sentence is best.": "至少 8 个字符，最好是一句话。",
    "A password has 8 to 256 characters.": "密码为 8 到 256 个字符。",
    # an interrupted form
    "You were signed out meanwhile. Sign in, and what you filled in comes back.": (
        "您的登录已过期。请重新登录，您填写的内容会恢复。"
    ),
    "Nothing is lost": "内容没有丢失",
    "Your sign-in changed while this form was open. Nothing of it took effect yet: look it over and send it.": (
        "填写期间您的登录有变化。表单尚未生效：请检查后再提交。"
    ),
    "Send it": "提交",
    "Leave it": "放弃",
    "name": "名称",
    "“{field}” does not fit: check what is written there.": "“{field}”不符合要求，请检查填写的内容。",
    # what can't be answered
    "This form did not come from here.": "这个表单不是从本站提交的。",
    "Open the page again and send it from there.": "请重新打开页面，再从那里提交。",
    "This page is for somebody else.": "这个页面不是给您看的。",
    "Sign in with a name that may see it.": "请用有权查看的名称登录。",
    "This is larger than any form here.": "提交的内容过大。",
    "Send less at once.": "请减少一次提交的内容。",
    "There is no such page.": "没有这个页面。",
    "This can't be done at this address.": "这个地址不能这样操作。",
    "Go back to the beginning.": "请回到首页。",
    "To the beginning": "回到首页",
    "The server made a mistake; it is logged.": "服务器出错了，已经记录。",
    "Try again; if it happens again, tell the operator the time.": "请再试一次；如果仍然出错，请把时间告诉运营商。",
    # what both faces call things
    "active": "正常",
    "Base station": "基站",
    "Base stations": "基站",
    "Disputes": "争议",
    "enrolled": "已登记",
    "for {n} days": "{n} 天有效",
    "How it was settled": "如何解决",
    "identity code": "身份识别码",
    "Ledger": "账本",
    "lent": "已借出",
    "not settled": "未解决",
    "Number": "号码",
    "Operator": "运营商",
    "Owed": "欠量",
    "Price": "价格",
    "revoked": "已吊销",
    "Say how much.": "请说明多少。",
    "settled": "已解决",
    "Terminal": "终端",
    "Used": "已用",
    "Wallet": "钱包",
    "What is left": "剩余流量",
    "Write it as in {amount}.": "请写成 {amount} 的样子。",
    "Write it as 500MB, 1.5GB or 2GiB.": "请写成 500MB、1.5GB 或 2GiB。",
    "{text} is no amount of {currency}.": "{text} 不是 {currency} 金额。",
    "{text} is no amount of traffic.": "{text} 不是流量数额。",
}
