"""The words of a dossier's page in English and Chinese. Goes into verify.py: standard library only."""
# ruff: noqa: RUF001 - Chinese has its own punctuation

LANGUAGES = ("en", "zh")
UNITS_OF_TIME = (("d", "天"), ("h", "小时"), ("min", "分钟"))

TOPICS = {
    "case.reported": ("Reported", "上报"),
    "case.verified": ("Verified before registering", "核实"),
    "case.accepted": ("Accepted", "受理"),
    "case.registered": ("Registered, time limit fixed", "立案"),
    "case.rejected": ("Rejected", "不予立案"),
    "case.dispatched": ("Dispatched", "派遣"),
    "case.acknowledged": ("Acknowledged by the holder", "签收"),
    "case.transferred": ("Transferred", "流转"),
    "case.returned": ("Returned", "回退"),
    "case.escalated": ("Escalated to a higher level", "上报上级"),
    "case.referred": ("Referred to a department", "转办"),
    "case.whistled": ("Departments called (whistle)", "吹哨"),
    "case.mustered": ("Department arrived (muster)", "报到"),
    "case.handled": ("Handled", "处置"),
    "case.self_handled": ("Handled on the spot", "自行处置"),
    "case.extended": ("Time limit extended", "延期"),
    "case.suspended": ("Suspended, clock stopped", "挂账"),
    "case.resumed": ("Resumed", "恢复"),
    "case.checked": ("Result checked", "核查"),
    "case.reworked": ("Sent back for rework", "返工"),
    "case.evaluated": ("Evaluated", "评价"),
    "case.closed": ("Closed", "结案"),
    "case.reopened": ("Reopened", "重新立案"),
    "case.merged": ("Merged into another case", "并案"),
    "case.split": ("Split from another case", "拆案"),
    "case.overtime_exempted": ("Overtime exempted on appeal", "超时豁免"),
    "refused.kept": ("Refused entry, kept", "拒收留存"),
    "refused.reapplied": ("Refused entry taken after all", "重新受理"),
    "refused.dismissed": ("Refused entry dismissed", "作废"),
    "tablet.enrolled": ("Tablet enrolled", "平板登记"),
    "tablet.uploaded": ("Batch uploaded, sealed", "上传"),
    "tablet.revoked": ("Tablet revoked", "停用"),
    "tablet.forked": ("Tablet told two histories", "分叉"),
    "tablet.reinstated": ("Tablet reinstated", "恢复使用"),
    "area.registered": ("Area registered", "区域登记"),
    "area.changed": ("Area changed", "区域变更"),
    "rulebook.published": ("Rulebook published", "规则发布"),
    "subject.erased": ("Personal data erased", "个人信息删除"),
    "subject.erasure_completed": ("Erasure completed", "删除完成"),
}

STEPS = {
    "report": ("Report", "上报"),
    "transfer": ("Transfer", "流转"),
    "handle": ("Handle", "处置"),
    "evaluate": ("Evaluate", "评价"),
}
STEP_OF = {
    **dict.fromkeys(("reported", "verified", "accepted", "registered", "rejected", "reopened", "merged", "split"), "report"),
    **dict.fromkeys(("dispatched", "acknowledged", "transferred", "returned", "escalated", "referred", "whistled", "mustered"), "transfer"),
    **dict.fromkeys(("handled", "self_handled", "extended", "suspended", "resumed", "checked", "reworked"), "handle"),
    **dict.fromkeys(("evaluated", "closed", "overtime_exempted"), "evaluate"),
}

FIELDS = {
    "category": ("Category", "类别"),
    "summary": ("What it is", "内容"),
    "urgency": ("Urgency", "紧急程度"),
    "severity": ("Severity", "严重程度"),
    "level": ("Level", "层级"),
    "source": ("Source", "来源"),
    "complexity": ("Complexity", "复杂程度"),
    "reference": ("Reference", "外部编号"),
    "household": ("Household", "户"),
    "patrol": ("Patrol", "巡查"),
    "visit": ("Visit", "走访"),
    "place": ("Position", "位置"),
    "found": ("Found to be real", "情况属实"),
    "note": ("Note", "备注"),
    "reason": ("Reason", "理由"),
    "result": ("Result", "处置结果"),
    "quantities": ("Quantities", "数量"),
    "passed": ("Check passed", "核查通过"),
    "rating": ("Rating", "满意度"),
    "rated_by": ("Rated by", "评价人"),
    "to": ("Sent to", "派往"),
    "lead": ("Lead", "主责"),
    "assists": ("Assist", "协办"),
    "unit": ("Unit", "单位"),
    "task": ("Task", "任务"),
    "muster_minutes": ("Minutes to muster", "报到时限（分钟）"),
    "amount": ("More time", "延长量"),
    "until": ("Until", "至"),
    "into": ("Merged into", "并入"),
    "limit": ("Time limit", "时限"),
    "calendar": ("Calendar", "日历"),
    "registrar": ("Registered by unit", "立案单位"),
}
"""Fields that the page shows in this order; others follow under their own names."""

DEADLINES = {
    "accept_due_at": ("to be accepted by", "受理期限"),
    "dispatch_due_at": ("to be dispatched by", "派遣期限"),
    "muster_due_at": ("departments to muster by", "报到期限"),
    "due_at": ("to be handled by", "处置期限"),
}

VALUES = {
    "emergency": ("emergency", "特急"),
    "urgent": ("urgent", "急件"),
    "normal": ("normal", "一般"),
    "complex": ("complex", "疑难"),
    "simple": ("simple", "简易"),
    "ordinary": ("ordinary", "普通"),
    "grid": ("grid", "网格"),
    "community": ("community", "社区"),
    "subdistrict": ("subdistrict", "街道"),
    "county": ("county", "区县"),
    "patrol": ("patrol", "巡查"),
    "visit": ("visit", "走访"),
    "steward": ("building steward", "楼栋长"),
    "resident": ("resident", "居民"),
    "sensor": ("sensor", "传感器"),
    "hotline": ("hotline", "热线"),
    "import": ("older system", "旧系统导入"),
    "reporter": ("reporter", "上报人"),
    "very_satisfied": ("very satisfied", "非常满意"),
    "satisfied": ("satisfied", "满意"),
    "dissatisfied": ("dissatisfied", "不满意"),
    "urgent_hour": ("hours, day and night", "紧急工作时"),
    "work_hour": ("working hours", "工作时"),
    "work_day": ("working days", "工作日"),
    "natural_day": ("days", "自然日"),
    "worker": ("grid worker", "网格员"),
    "officer": ("officer", "干部"),
    "auditor": ("auditor", "审计员"),
    "administrator": ("administrator", "管理员"),
    "system": ("the service", "系统"),
    True: ("yes", "是"),
    False: ("no", "否"),
}

PAGE = {
    "title": ("Case dossier", "案件卷宗"),
    "other": ("中文", "English"),
    "case": ("Case", "案件编号"),
    "area": ("Area", "所在区域"),
    "reported": ("Reported", "上报时间"),
    "holder": ("Holder", "承办单位"),
    "last": ("Last step", "最近一步"),
    "limit": ("Time limit", "时限"),
    "due": ("To be handled by", "处置期限"),
    "handled": ("Handled", "处置时间"),
    "closed": ("Closed", "结案时间"),
    "overtime": ("Overtime", "超时"),
    "late_steps": ("recorded as late", "记录为超时"),
    "none": ("none recorded", "无记录"),
    "exempted": ("exempted from the statistic on appeal; the fact stays", "经申诉不计入考核，事实保留"),
    "rating": ("Rating", "满意度"),
    "counts": ("Extensions, returns, reworks", "延期、回退、返工次数"),
    "not_yet": ("not yet", "尚未"),
    "timeline": ("What happened", "经过"),
    "late": ("late", "超时"),
    "at": ("Happened", "发生"),
    "recorded": ("Recorded", "入账"),
    "later": ("recorded later than it happened", "入账晚于发生"),
    "who": ("Who", "经办人"),
    "tablet": ("Tablet", "平板"),
    "console": ("at the console", "后台办理"),
    "holds": ("Held by", "承办"),
    "gave": ("handed over by", "移出单位"),
    "photos": ("Photos", "照片"),
    "photo_absent": ("the bytes are not in this dossier", "本卷宗不含该照片原件"),
    "personal": ("Personal data", "个人信息"),
    "digest": ("sealed, not opened here; digest", "已封存，本卷宗未公开；摘要"),
    "erased": ("erased", "已删除"),
    "line": ("Line", "记录"),
    "entry": ("Tablet's own entry", "平板原始条目"),
    "refusals": ("Entries that were refused", "被拒收的条目"),
    "refusals_none": (
        "No refused entry that names this case was found in the ledgers searched:",
        "在以下账本中未发现涉及本案的拒收条目:",
    ),
    "refusals_in": ("Searched in ledgers:", "检索的账本:"),
    "code": ("Code", "代码"),
    "asked": ("It wanted to record", "原拟记录"),
    "tablets": ("Tablets", "平板"),
    "tablets_none": ("No tablet had a part in this case; all of it was said at the console.", "本案未使用平板，均在后台办理。"),
    "key": ("Enrolled public key", "登记公钥"),
    "seal": ("Seal", "封印"),
    "seal_of": ("entries sealed and signed by the tablet", "个条目由平板封存并签名"),
    "proofs": ("Proofs", "证明"),
    "ledger": ("Ledger", "账本"),
    "size": ("entries", "条"),
    "root": ("root", "根"),
    "in_root_log": ("entry of the root log at position", "在根日志中的位置"),
    "no_root_log": ("not yet in the root log: no witness has seen it", "尚未进入根日志，尚无见证"),
    "signatures": ("signature lines", "签名行"),
    "proven": ("What is proven", "已证明的内容"),
    "unproven": ("What is not proven", "未证明的内容"),
    "verify": ("How to check it yourself", "如何自行核验"),
    "zone": ("Times are those of the city", "时间为本市当地时间"),
    "page": ("Dossier of case", "案件卷宗"),
}

PROVEN = (
    (
        "Each line shown was in its ledger, at its position, when the service signed the ledger's root. Nobody can have changed, inserted "
        "or removed it since without another root.",
        "所示每条记录在服务签署账本根时，已位于该账本的该位置。此后任何修改、插入或删除都会得到不同的根。",
    ),
    (
        "Each entry of a tablet was sealed by that tablet with its own enrolled key; the service could not have written it in its place.",
        "平板的每个条目都由该平板用其登记的密钥封存签名，服务无法代写。",
    ),
    (
        "The signed roots stand in the root log. Where witnesses cosigned it, others have seen the same history: the service cannot show "
        "you one history and them another.",
        "已签署的根记入根日志。有见证人联署之处，他人看到的是同一历史，服务无法向不同的人出示不同的历史。",
    ),
    (
        "The steps of the case are numbered without a gap from the first to the last shown.",
        "案件各步骤自首至所示末步编号连续，无缺漏。",
    ),
    (
        "Photos and opened personal data are bit by bit what was named when the work was recorded.",
        "照片与已公开的个人信息与记录时所指明的内容逐位一致。",
    ),
    ("Every fact on this page is read from those lines, and from nothing else.", "本页所有事实均取自上述记录，别无其他来源。"),
)

UNPROVEN = (
    (
        "That what people said is true. The record proves who said what and when it was recorded, not that it was so.",
        "所说内容是否属实。记录只证明谁在何时说了什么。",
    ),
    (
        "When exactly it happened. That is the tablet's own clock, put right where it was wrong; the time of recording is the service's. "
        "A witness's time bounds it from above.",
        "确切的发生时间。发生时间取自平板时钟（有误时已校正），入账时间取自服务；见证时间给出上限。",
    ),
    (
        "Who held the tablet in hand. The key belongs to the device, which was given to the person named.",
        "当时是谁手持平板。密钥属于设备，设备发给所列人员。",
    ),
    (
        "That nothing was recorded of this case after the last step shown, and that no other refused entry exists. Who wants to know that "
        "copies and verifies the whole ledger: gridtrail audit fetch, gridtrail audit verify.",
        "所示末步之后再无记录，以及不存在其他拒收条目。如需确认，请复制并核验整个账本：gridtrail audit fetch，gridtrail audit verify。",
    ),
    (
        "That a step was allowed by the rules of the day, and that deadlines were reckoned rightly: the page shows what was recorded. "
        "gridtrail audit verify recomputes it.",
        "各步骤是否符合当日规则、期限是否计算正确：本页只显示所记录的内容，由 gridtrail audit verify 重新计算。",
    ),
    (
        "Anything, to somebody who takes the keys from this dossier. Get the public keys of the service and of the witnesses from them, "
        "by another way.",
        "若从本卷宗中取用公钥，则什么也证明不了。服务与见证人的公钥须通过其他途径取得。",
    ),
)

HOW = (
    (
        "python3 -I verify.py FOLDER-OR-ZIP --key SERVICE-KEY --witness WITNESS-KEY — needs Python 3.9 or newer with the package "
        "cryptography, and no network. It hashes every file, checks every proof and signature, and writes this page anew from the lines "
        "to compare it. Exit status 0: all holds. 1: something does not, and it says what. 2: it cannot be read. 3: it agrees with "
        "itself, but no key was given.",
        "python3 -I verify.py 文件夹或ZIP --key 服务公钥 --witness 见证人公钥 — 需要 Python 3.9 以上及 cryptography 包，无需联网。"
        "它核对每个文件的摘要、每项证明与签名，并依据记录重新生成本页逐字比对。退出码 0：全部成立；1：有不成立之处并说明；"
        "2：无法读取；3：自身一致，但未给出公钥。",
    ),
    (
        "Take verify.py from a source that you trust (gridtrail dossier --verifier writes it), not from the dossier that you doubt. The "
        "proofs are C2SP files (c2sp.org/tlog-proof, signed-note); other people's tools read them as well.",
        "请从可信来源取得 verify.py （gridtrail dossier --verifier 可生成），不要使用所怀疑的卷宗中的那一份。证明为 C2SP 格式"
        "（c2sp.org/tlog-proof，signed-note），其他工具亦可读取。",
    ),
)
