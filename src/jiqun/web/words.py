"""Words that several pages share for what the tables hold in codes 代码的用语."""

from __future__ import annotations

from jiqun.core.actor import Role
from jiqun.core.document import Text

ROLES: dict[Role, Text] = {
    "operator": Text("运营方", "operator"),
    "analyst": Text("分析员", "analyst"),
    "member": Text("企业成员", "member of a firm"),
    "auditor": Text("审计员", "auditor"),
    "public": Text("公众", "public"),
}
CHANNELS: dict[str, Text] = {
    "mail": Text("邮件", "mail"),
    "wecom": Text("企业微信群机器人", "WeCom group robot"),
    "dingtalk": Text("钉钉群机器人", "DingTalk group robot"),
}
WITHDRAWN: dict[str, Text] = {
    "statements": Text("我们自己填写的内容", "What we stated ourselves"),
    "publication": Text("公开页面上的企业信息", "Our firm on public pages"),
    "account": Text("本账户及其认领", "This account and its claim"),
}
ANSWERS: dict[str, Text] = {
    "done": Text("已办理", "done"),
    "asked": Text("待答复", "waiting for an answer"),
    "refused": Text("未同意", "refused"),
}
ANSWER_MEANINGS = {"done": "good", "asked": "watch", "refused": "bad"}
JOBS: dict[str, Text] = {
    "atlas.measure": Text("整体测度", "Measure the register"),
    "atlas.network_run": Text("网络分析", "Analyse the network"),
    "atlas.run": Text("识别集群", "Find clusters"),
    "atlas.count_core": Text("判定核心产业", "Judge the core industries"),
    "atlas.place_chain": Text("企业对照产业链", "Place firms on chains"),
    "classify.train": Text("训练文本模型", "Train a model of texts"),
    "imports.read": Text("读取文件", "Read a file"),
    "imports.check": Text("检查导入", "Check an import"),
    "imports.load": Text("装载", "Load a table"),
    "imports.compare": Text("比较两次装载", "Comparing two loads"),
    "imports.sweep": Text("清理旧的上传文件", "Clear away old uploads"),
    "geocode.run": Text("地理编码", "Ask a geocoder"),
    "points.apply": Text("按决定重新落位", "Place anew as decided"),
    "notices.clusters": Text("通知关注者", "Tell who follows"),
    "deliver.mail": Text("发送邮件", "Send mail"),
    "deliver.webhook": Text("发送到群", "Send to a group"),
    "roster.match": Text("匹配名单", "Match a roster"),
    "roster.derive": Text("并入名单与更正", "Merge rosters and corrections"),
    "search.index": Text("更新搜索索引", "Renew the search index"),
    "survey.remind": Text("提醒填报", "Remind who has not answered"),
    "survey.mail": Text("发送填报邮件", "Mail a form"),
    "survey.close": Text("到期锁定调查", "Lock a survey on its last day"),
    "survey.publish": Text("发布调查", "Publish a survey"),
}
ENTRIES: dict[str, Text] = {
    "accounts.accept": Text("接受邀请", "Invitation accepted"),
    "accounts.add": Text("新建账户", "Account made"),
    "accounts.attempt": Text("尝试登录", "Attempt to sign in"),
    "accounts.delivered": Text("通知已送达", "Notice delivered"),
    "accounts.first_operator": Text("建立首个运营方账户", "First operator made"),
    "accounts.language": Text("选择语言", "Language chosen"),
    "accounts.password": Text("修改口令", "Password changed"),
    "accounts.sign_in": Text("登录", "Signed in"),
    "accounts.sign_out": Text("退出", "Signed out"),
    "accounts.tell": Text("发出通知", "Notice written"),
    "accounts.viewed": Text("记下谁看过企业数据", "Views of firms noted"),
    "atlas.ran": Text("集群识别完成", "Clusters found"),
    "intake.mended": Text("收回在表格中更正的行", "Rows mended in a workbook"),
    "intake.receive": Text("上传文件", "File uploaded"),
    "intake.remember": Text("记住更正", "Corrections remembered"),
    "jobs.cancel": Text("取消作业", "Job cancelled"),
    "place.go_on": Text("次日继续地理编码", "Geocoding goes on the next day"),
    "place.keep": Text("保存地理编码结果", "Geocoder's answers kept"),
    "place.set_aside": Text("预留地理编码额度", "Quota of a geocoder set aside"),
    "roster.match": Text("名单已匹配", "Roster matched"),
    "roster.mint": Text("为独立机构编号", "Organisations of their own numbered"),
    "roster.walk": Text("记下名单的编号", "Identifiers of a roster noted"),
    "jobs.retry": Text("重做作业", "Job tried again"),
    "survey.close": Text("调查到期锁定", "Survey locked on its last day"),
    "survey.mailed": Text("填报邮件的结果", "What became of a mailed form"),
    "survey.mailing": Text("发出填报邮件", "Form mailed"),
    "survey.published": Text("调查已发布", "Survey published"),
    "survey.save": Text("暂存答卷", "Answer saved as a draft"),
    "survey.stop": Text("不再接收提醒", "Reminders stopped"),
    "survey.submit": Text("提交答卷", "Answer handed in"),
    "survey.told": Text("提醒填报", "Reminders queued"),
}
"""What the journal's entries are called that no declared operation makes; `jiqun.web.render.titles` knows the others."""
AT_WORK = Text("处理中", "At work")
STEPS: dict[str, Text] = {
    "names": Text("正在拆分名称", "Taking names apart"),
    "exact": Text("正在匹配代码与名称", "Matching codes and names"),
    "match": Text("正在匹配", "Matching"),
    "merge": Text("正在并入", "Merging"),
    "core industries": Text("正在判定核心产业", "Judging the core industries"),
    "chains": Text("正在把企业对到产业链上", "Placing firms on chains"),
    "look": Text("正在打开文件", "Opening the file"),
    "load": Text("正在读取各行", "Reading rows"),
    "group": Text("正在整理发现的问题", "Sorting what was found"),
    "train": Text("正在训练并检验模型", "Training and judging a model"),
    "compare": Text("正在与原数据比较", "Comparing with what was before"),
    "geocode": Text("正在查询地址", "Asking for addresses"),
    "place": Text("正在落位", "Placing rows"),
    "sweep": Text("正在清理", "Clearing away"),
    "classes": Text("正在归类", "Classing firms"),
    "concentration": Text("正在计算集中程度与复杂度", "Measuring concentration and complexity"),
    "neighbours": Text("正在与邻区比较", "Comparing with neighbours"),
    "M function": Text("正在计算 M 函数及其随机带", "Computing the M function and its band"),
    "K density": Text("正在计算 K 密度及其随机带", "Computing the K-density and its band"),
    "backbone": Text("正在提取骨干网", "Taking the backbone"),
    "resolutions": Text("正在试各种分辨率", "Trying resolutions"),
    "seeds": Text("正在以多个种子分群", "Grouping with many seeds"),
    "consensus": Text("正在求共识", "Settling on a consensus"),
    "null graphs": Text("正在与随机网络比较", "Comparing with random networks"),
    "positions": Text("正在计算网络位置", "Measuring positions"),
    "bootstrap": Text("正在自助抽样", "Resampling firms"),
    "persistence": Text("正在检验参数变动时的稳定性", "Trying other parameters"),
    "random draws": Text("正在检验随机登记库", "Searching random registers"),
    "names and outlines": Text("正在命名并勾画集群", "Naming and outlining clusters"),
    "map": Text("正在准备地图", "Preparing the map"),
    "search": Text("正在更新搜索索引", "Renewing the search index"),
    "deliver": Text("正在发送", "Sending"),
    "remind": Text("正在提醒", "Reminding"),
    "publish": Text("正在发布", "Publishing"),
    "close": Text("正在锁定", "Locking"),
}
"""What a job under way says of itself, by the name of its step."""
