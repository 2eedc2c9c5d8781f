"""The words of the report to a person, in English and Chinese: names of the declared fields, what each is for, and the sentences around."""

FIELD_WORDS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "need_voiced": (
        ("Need voiced on a visit", "走访中提出的需求"),
        ("so that what was asked for on a visit is done", "落实走访中提出的需求"),
    ),
    "visit_place": (("Position of a visit", "走访位置"), ("to find the door again where there is no address", "无门牌时便于再次上门")),
    "resident_name": (("Name", "姓名"), ("to know whom to ask for", "确认联系人")),
    "resident_phone": (("Telephone", "电话"), ("to call back the person who reported, or who is cared for", "回访报事人或服务对象")),
    "address_detail": (("Address", "详细住址"), ("to find the flat", "便于上门")),
    "health_note": (("Note on health", "健康情况"), ("so that who visits or helps does no harm", "避免走访或帮扶时造成伤害")),
    "case_summary": (
        ("What a matter is about", "事项内容"),
        ("what a dispute, care or security matter is about", "说明矛盾纠纷、民生或治安事项"),
    ),
    "case_place": (("Where a matter is", "事项位置"), ("where the persons of such a matter are found", "找到事项当事人")),
    "case_note": (("Note on a matter", "事项备注"), ("what whoever goes on with the matter needs to know", "供后续经办人了解情况")),
    "case_result": (("What was done", "处置结果"), ("what was done for the persons of the matter", "记录对当事人的处置")),
    "case_reason": (("Reason of a decision", "决定理由"), ("why it was decided so, for whoever it concerns", "向当事人说明决定理由")),
    "case_task": (("Task of called units", "协办任务"), ("what the called units are to do there", "说明被吹哨部门的任务")),
    "photo": (
        ("Photo (by its SHA-256)", "照片(SHA-256)"),
        ("what it looked like, where a person or a home can be recognised", "记录可辨认个人或住所的现场"),
    ),
    "refused_entry": (
        ("Entry that was not accepted", "未受理的记录原文"),
        ("so that the worker's entry can be read, re-applied or dismissed", "供查看、重新受理或作废该记录"),
    ),
}
"""By field: its name, and its purpose; English and Chinese each."""

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "What is held of subject {subject}",
        "made": "Made {at}.",
        "nothing": "Nothing is held.",
        "held": "held",
        "erased": "erased",
        "awaited": "not brought yet",
        "no event": "(no event yet)",
        "where": "where: ledger {ledger}, entry {position} {topic}",
        "time": "since {since}, until {until} at the latest",
        "why": "for: {purpose} ({basis})",
        "erasure": "Erased in ledger {ledger}: ground {ground}, asked for {requested_at}, recorded {erased_at}, completed {completed_at}; "
        "backups are gone by {backups_gone_by}.",
        "under way": "(under way)",
        "reads": "Reads on record: {count}.",
    },
    "zh": {
        "title": "关于主体 {subject} 所保存的个人信息",
        "made": "生成时间 {at}。",
        "nothing": "没有保存任何个人信息。",
        "held": "已保存",
        "erased": "已删除",
        "awaited": "尚未送达",
        "no event": "(尚无事件)",
        "where": "位置: 台账 {ledger}, 第 {position} 条 {topic}",
        "time": "自 {since} 起保存, 最迟至 {until}",
        "why": "用途: {purpose} ({basis})",
        "erasure": "台账 {ledger} 中已删除: 理由 {ground}, 申请日 {requested_at}, 登记于 {erased_at}, "
        "完成于 {completed_at}; 备份最迟于 {backups_gone_by} 清除。",
        "under way": "(进行中)",
        "reads": "查阅记录: {count} 次。",
    },
}
