/** Why an entry was refused, and what to do, in plain words: each code of a refusal leads to one of a few reasons. */

const CODES = {
  overtaken: [
    "already_accepted already_acknowledged already_checked already_evaluated already_handled already_mustered already_registered",
    "case_closed case_merged case_rejected case_suspended check_has_failed check_has_not_failed muster_first not_called not_your_case",
    "not_yet_accepted not_yet_checked not_yet_handled not_yet_registered nobody_to_return_to already_at_the_top",
  ],
  other: ["not_your_patrol not_your_report not_your_role role_may_not_do_this same_person verifies_only_public_reports"],
  outside: ["another_area level_below_area no_such_reference not_an_area out_of_scope unknown_area not_your_city"],
  personal: ["not_a_reference personal_number_in_text personal_text undeclared_personal_field"],
  incomplete: [
    "days_out_of_order invalid_field malformed_entry not_a_day reason_needed text_needed time_out_of_range unknown_care_group unknown_category unknown_channel",
    "unknown_level unknown_outcome unknown_rater unknown_rating unknown_severity unknown_source unknown_urgency",
  ],
  sequence: ["already_begun not_begun patrol_finished"],
  withdrawn: ["tablet_revoked"],
  fork: ["forked"],
  later: ["undecided unknown_kind unknown_version"],
};

const REASON_OF = Object.fromEntries(Object.entries(CODES).flatMap(([reason, lines]) => lines.flatMap((line) => line.split(" ").map((code) => [code, reason]))));

/** The reason of a code: a key of why.… and todo.… in the texts. A code that no worker's entry gets now is "incomplete". */
export const reasonOf = (code) => REASON_OF[code] ?? "incomplete";
