"""Every key the core answers with. ``cards/`` must have words for each, and no others (checked at start)."""

from __future__ import annotations

RULE_REASONS: dict[str, frozenset[str]] = {
    "R1": frozenset({"no_all"}),
    "R2": frozenset(
        {"lymphoma_with_marrow", "another_leukemia", "odd_phenotype", "fusion_flow_negative", "donor_cells"}
    ),
    "R5": frozenset({"marrows_disagree", "order_unknown", "code_only_remission"}),
    "R4": frozenset({"extramedullary", "extramedullary_no_marrow"}),
    "R6": frozenset({"relapse_then_clear"}),
    "R16": frozenset({"in_remission", "unread"}),
    "R3": frozenset({"old"}),
    "R11a": frozenset({"preliminary", "growth_factor"}),
    "R7": frozenset({"relapsed"}),
    "R8": frozenset({"relapsed"}),
    "R9": frozenset({"submorphologic"}),
    "R10": frozenset({"recorded"}),
    "R11": frozenset({"tests_apart", "not_confirmed", "mrd_only", "blood_blasts", "unitless", "preliminary"}),
    "R15": frozenset({"morphology_and_mrd"}),
    "R12": frozenset({"two_courses"}),
    "R13": frozenset({"one_course", "courses_not_documented"}),
    "R12a": frozenset({"orders_only", "blood_blasts"}),
    "R14": frozenset({"recorded"}),
    "R17": frozenset({"no_treatment", "unread"}),
    "R18": frozenset({"status_not_supported", "marrow_would_decide", "order_would_decide"}),
}
"""The sentences each rule may say."""

OPTION_REASONS = frozenset(
    {"ph_negative", "ph_negative_not_retested", "ph_conflicting", "ph_unknown"}
    | {"lineage_b", "lineage_t", "lineage_unknown", "lineage_conflicting"}
    | {"not_tolerated", "tolerance_conflicting", "fewer_regimens", "line_of_therapy"}
    | {f"{name}_{why}" for name in ("cd19", "cd22") for why in ("negative", "partial", "conflicting", "therapy_since")}
    | {"under_one_month", "under_one_year", "under_eighteen", "over_twenty_five", "age_unknown", "age_straddles"}
    | {"recorded_unfit", "recorded_no_donor", "fitness_unknown", "donor_unknown", "fitness_and_donor_unknown"}
    | {"products_depend", "products_do_not_fit"}
)
"""Why an option does not fit or depends."""

MODIFIERS = frozenset(
    {"second_or_later_relapse", "refractory_to_salvage", "recorded_status_only", "unconfirmed_by_second_source"}
    | {"one_course_only", "courses_not_documented", "isolated_extramedullary", "submorphologic"}
    | {"after_allogeneic_transplant", "after_car_t", "mrd_positive", "ph_not_retested_since_relapse"}
    | {"ph_status_changed_since_diagnosis", "ph_methods_disagree", "donor_origin_not_excluded"}
)
MISSING = frozenset(
    {"lineage", "ph_status", "genetic_testing_since_relapse", "cd19_expression", "cd22_expression"}
    | {"physical_fitness", "donor_availability", "age", "marrow_result", "confirmatory_test", "treatment_history"}
    | {"remission_evidence", "csf_result", "counts"}
)
PURPOSES = frozenset(
    {
        "remission",
        "remission in the marrow",
        "return in the marrow",
        "second test",
        "second marrow",
        "relapse recorded",
        "refractory recorded",
    }
    | {"status recorded", "residual leukemia", "course", "order", "marrow", "clear marrow", "blood", "diagnosis"}
    | {"relapse", "newest evidence", "another leukemia", "other disease", "phenotype", "fusion"}
    | {"origin of the cells", "growth factor", "disease outside the marrow", "Philadelphia status", "lineage"}
)
SITES = frozenset({"central nervous system", "cerebrospinal fluid", "body fluid", "outside the marrow"})
VALUES = frozenset(
    {"morphology", "flow", "molecular", "blood", "remission", "relapse", "refractory", "yes", "no", "unknown"}
    | {"b-lymphoblastic", "t-lymphoblastic", "myeloid", "mixed-phenotype", "normal-precursors", "present", "absent"}
    | {"diagnosis", "lymphoma", "mixed", "other", "myeloid-disease", "treatment", "ordered", "growth factor"}
    | {"donor", "recipient", "positive", "negative", "partial", "answer-yes", "answer-no"}
    | {"physically-fit-for-transplant", "donor-available", "tolerates-chemotherapy"}
    | {"transplant", "car_t", "directed_therapy", "genetic_test"}
)
REPORTS = frozenset({"marrow", "flow cytometry", "MRD", "genetics"})
RULE_CLASSES = {
    **dict.fromkeys(("R4", "R7", "R8", "R9", "R10"), "relapsed"),
    **dict.fromkeys(("R12", "R13", "R14"), "refractory"),
    **dict.fromkeys(("R2", "R5", "R6", "R3", "R11a", "R11", "R15", "R12a", "R18"), "indeterminate"),
    "R1": "not_all",
    "R16": "in_remission",
    "R17": "treatment_not_documented",
}
"""What each rule answers when it fires."""
