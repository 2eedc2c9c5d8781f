"""What people see: pure folds from events to rows. READ_MODELS names every read model; the engine follows all of them."""

from types import ModuleType

from projections import (
    areas,
    case_history,
    erasures,
    open_cases,
    patrol_coverage,
    people,
    personal_items,
    refusals,
    rulebooks,
    sealed_summaries,
    summaries,
    tablet_changes,
    tablets,
    visit_log,
    visits_due,
    workload,
)

READ_MODELS: dict[str, ModuleType] = {
    model.NAME: model
    for model in (
        areas,
        people,
        rulebooks,
        open_cases,
        case_history,
        workload,
        patrol_coverage,
        visit_log,
        visits_due,
        summaries,
        sealed_summaries,
        refusals,
        tablets,
        tablet_changes,
        personal_items,
        erasures,
    )
}
"""Reference data first, so that one turn of the engine brings it before what is read with it."""
