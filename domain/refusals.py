"""Every refusal of the domain in one place: what is wrong and what to do about it. Read by the rules, and by the README's table of codes.

The code is the class name in snake case and stable for ever; a rule gives a more exact sentence and facts where it has them.
"""

from domain.errors import Refusal


# ---- who may do it
class RoleMayNotDoThis(Refusal):
    sentence = "This role does not do that. Ask somebody whose role it is."


class NotYourCase(Refusal):
    sentence = "Another unit holds this case. Only the holder, or where it is said an office above it, can do this."


class NotYourReport(Refusal):
    sentence = "Only the person who reported this case can do this."


class NotYourSubdistrict(Refusal):
    sentence = "Only an officer of the case's subdistrict can whistle. Ask the subdistrict."


class SamePerson(Refusal):
    sentence = "Handler, checker and evaluator of a case are different people. Let somebody else do this step."


class NotYourPatrol(Refusal):
    sentence = "Only the worker who started a patrol goes on with it. Start your own."


# ---- when it may be done
class NotYetAccepted(Refusal):
    sentence = "The report is not accepted yet. Accept it first."


class NotYetRegistered(Refusal):
    sentence = "The case is not registered yet. Register it first."


class NotYetHandled(Refusal):
    sentence = "The case is not handled yet. Handle it first."


class NotYetChecked(Refusal):
    sentence = "The result has not passed a check yet. Check it first."


class NotYetClosed(Refusal):
    sentence = "The case is not closed, so it cannot be reopened. Go on with it."


class AlreadyAccepted(Refusal):
    sentence = "The report is accepted already. Register or reject it."


class AlreadyRegistered(Refusal):
    sentence = "The case is registered already. Go on with it."


class AlreadyAcknowledged(Refusal):
    sentence = "The holder took the case up already. Handle it, or send it on."


class AlreadyHandled(Refusal):
    sentence = "The case is handled already. Check the result."


class AlreadyChecked(Refusal):
    sentence = "The result passed the check already. Close the case, or let it be evaluated."


class AlreadyEvaluated(Refusal):
    sentence = "This result is evaluated already. A rating is given once for each handling."


class CheckHasFailed(Refusal):
    sentence = "The check failed. Give the case back for rework."


class CheckHasNotFailed(Refusal):
    sentence = "Rework follows a failed check only. Check the result first."


class MusterFirst(Refusal):
    sentence = "The case was whistled: the lead must muster before it goes on."


class NotSuspended(Refusal):
    sentence = "The case is not suspended. Its clock runs already."


class NotMerged(Refusal):
    sentence = "The case is not merged into another. There is nothing to split."


class CaseSuspended(Refusal):
    sentence = "The case is suspended. Resume it first."


class CaseRejected(Refusal):
    sentence = "The report was rejected. Report the matter again if it goes on."


class CaseMerged(Refusal):
    sentence = "The case was merged into another. Act on that one, or split them first."


class CaseClosed(Refusal):
    sentence = "The case is closed. Reopen it if the matter goes on."


class PatrolFinished(Refusal):
    sentence = "The patrol is finished. Start a new one."


class AlreadyBegun(Refusal):
    sentence = "There is a record with this id already. Give what is new an id of its own."


class NotBegun(Refusal):
    sentence = "There is no record with this id. Send its first fact before what follows from it."


# ---- report
class UnknownCategory(Refusal):
    sentence = "The category is in no published book. Use scheme/version/code, such as gridtrail/1/B01."


class UnknownUrgency(Refusal):
    sentence = "Urgency is emergency, urgent, normal or complex."


class UnknownSeverity(Refusal):
    sentence = "Severity is 01, 02, 03 or 04."


class UnknownLevel(Refusal):
    sentence = "Level is grid, community, subdistrict or county."


class LevelBelowArea(Refusal):
    sentence = "The area is larger than the level. Name the exact area, or a higher level."


class UnknownSource(Refusal):
    sentence = "Source is patrol, visit, steward, resident, sensor, hotline or import."


class TextNeeded(Refusal):
    sentence = "A text that the record needs is empty. Say it in a few words."


class ReasonNeeded(Refusal):
    sentence = "This step needs a reason. Say why in a few words."


class VerifiesOnlyPublicReports(Refusal):
    sentence = "Only what the public reports (resident, steward, sensor) is verified. Accept or reject the report."


class NotVerified(Refusal):
    sentence = "What the public reports is verified before it is registered. Send somebody to look."


class FoundUntrue(Refusal):
    sentence = "Verification did not find the matter. Reject the report, or verify it again."


class UnknownComplexity(Refusal):
    sentence = "Complexity is simple, ordinary or complex."


class NoTimeLimit(Refusal):
    sentence = "No time limit is published for this category. Publish one, then register."


class NoCalendar(Refusal):
    sentence = "The calendar is not published. Publish it under the same name and version."


# ---- personal data
class UnknownGround(Refusal):
    sentence = "The ground is request, consent_withdrawn, purpose_ended, service_ended or unlawful."


# ---- transfer
class NotAnArea(Refusal):
    sentence = "This is not an area code: 4, 6, 9, 12, 15 or 17 digits."


class AnotherArea(Refusal):
    sentence = "The entry names another area than its record. A record stays in its area, whoever holds it."


class NotAUnit(Refusal):
    sentence = "This is not a unit: an area code of a county or below, or <area code>/<department>."


class NotADepartment(Refusal):
    sentence = "A case is referred to a department: <area code>/<department>."


class OutsideTheCounty(Refusal):
    sentence = "The unit lies in another county. A case stays within its county."


class ToItself(Refusal):
    sentence = "The unit holds the case already. Name another one."


class NotTheSameLevel(Refusal):
    sentence = "A transfer goes to a unit of the same level. Escalate upwards, dispatch downwards."


class NobodyToReturnTo(Refusal):
    sentence = "No unit sent this case here, so it cannot be returned. Dispatch, transfer or escalate it."


class AlreadyAtTheTop(Refusal):
    sentence = "The case is at the county already; there is no higher level."


class UnknownUnit(Refusal):
    sentence = "The unit's area was not in force on that day. Name a unit of an area that is."


class MergedIntoClosed(Refusal):
    sentence = "The case to merge into is over. Merge into one that is open."


class UnitNamedTwice(Refusal):
    sentence = "The lead and the assisting units are different units, each named once."


class MusterTimeWrong(Refusal):
    sentence = "The time to muster is 1 minute to 1440 minutes."


class NotCalled(Refusal):
    sentence = "This unit was not called by a whistle, or it is not yours."


class AlreadyMustered(Refusal):
    sentence = "This unit mustered already."


# ---- handle
class ExtendedTwice(Refusal):
    sentence = "A time limit is extended twice at most. Handle the case, or escalate it."


class ExtensionTooLong(Refusal):
    sentence = "An extension is at least 1 and at most as long as the original limit."


class DeadlinePassed(Refusal):
    sentence = "The deadline has passed; it can't be moved any more. The overtime stays on record; an appeal may exempt it."


class SuspendedBefore(Refusal):
    sentence = "A case is suspended once only, and this one was."


class SuspensionTooLong(Refusal):
    sentence = "A case is suspended until a later day, at most 365 days ahead."


class NeverRegistered(Refusal):
    sentence = "The case was solved on the spot and never registered. Report the matter again."


# ---- evaluate
class UnknownRating(Refusal):
    sentence = "The rating is very_satisfied, satisfied or dissatisfied."


class UnknownRater(Refusal):
    sentence = "rated_by is reporter or resident."


class MergedIntoItself(Refusal):
    sentence = "A case can't be merged into itself. Name the case that goes on."


class NoOvertime(Refusal):
    sentence = "There is no overtime on record that could be exempted."


# ---- visits
class UnknownOutcome(Refusal):
    sentence = "The outcome is met, no_one_home or refused."


class UnknownChannel(Refusal):
    sentence = "The channel is at_door, phone or video."


class UnknownCareGroup(Refusal):
    sentence = "The care group is in no published care plan."


class NotADay(Refusal):
    sentence = "This is not a day such as 2026-11-21."


class DaysOutOfOrder(Refusal):
    sentence = "The last day lies before the first. Exchange them, or correct one."


# ---- areas, people, tablets, rulebooks
class UnknownAreaKind(Refusal):
    sentence = "The kind of a grid is general, exclusive, patrol, party or micro."


class AreaEnded(Refusal):
    sentence = "The area has ended. Use one of its successors."


class NothingChanged(Refusal):
    sentence = "Nothing was said that differs from what is recorded."


class UnknownRole(Refusal):
    sentence = "The role is worker, officer, auditor or administrator."


class AssignmentKnown(Refusal):
    sentence = "This assignment is recorded already. Give a new one an id of its own."


class UnknownAssignment(Refusal):
    sentence = "This person has no such assignment."


class PersonLeft(Refusal):
    sentence = "The person has left. Register them again under a new id."


class TabletRevoked(Refusal):
    sentence = "The tablet is revoked already."


class TabletInUse(Refusal):
    sentence = "The tablet is in use; there is nothing to reinstate."


class LastValidWrong(Refusal):
    sentence = "last_valid is the sequence of the last entry to be trusted, or -1 for none."


class RefusalSettled(Refusal):
    sentence = "This refused entry was settled already."


class UnknownBook(Refusal):
    sentence = "The kind of a rulebook is categories, limits, calendar, care_plan, indicators or recipients."


class BookIsWrong(Refusal):
    sentence = "The book's content is wrong. Correct it and publish again."


class NotAPeriod(Refusal):
    sentence = "This is not a period: 2026, 2026-Q4, 2026-11 or 2026-W47, from 2000 to 2099."
    status = 422


class NotAQuarter(Refusal):
    sentence = "A roll-up is of a quarter, such as 2026-Q4."


class NotASubdistrict(Refusal):
    sentence = "A roll-up is of a subdistrict: a 9-digit area code."


class PeriodNotOver(Refusal):
    sentence = "The quarter goes on. Seal its roll-up when it is over."


class SummarySealed(Refusal):
    sentence = "This roll-up is sealed already and never changes. Later facts show as differences from it."


class VersionPublished(Refusal):
    sentence = "This version is published already and never changes. Publish a new version."


class NotYourCity(Refusal):
    sentence = "A rulebook belongs to a city: a 4-digit code."


# ---- personal data
class UndeclaredPersonalField(Refusal):
    sentence = "This kind of entry carries no such personal field. Leave it out; docs/recorded-format.md lists the fields that there are."
    status = 422


class PersonalText(Refusal):
    sentence = "This may tell of a person, so it is sent as a disclosure: its digest in personal, the value by PUT /v1/sync/disclosures."
    status = 422


class PersonalNumberInText(Refusal):
    sentence = "A plain text bears a mobile or identity number. Leave it out, or send it as a disclosure such as resident_phone."
    status = 422


class NotAReference(Refusal):
    sentence = "A household or reference is a number or code of A-Z, a-z, 0-9 and ._:/- without spaces, never a name."
    status = 422
