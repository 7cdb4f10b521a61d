use super::*;
use crate::base::id::ReleaseId;
use crate::model::mailing::{AudienceQuery, MailingContent, UncertainPolicy};

fn minute(minutes: i64) -> Timestamp {
    let start: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
    start + chrono::Duration::minutes(minutes)
}

/// Due at minute 0, with ten minutes of grace.
fn mailing(missed: MissedPolicy) -> Mailing {
    Mailing {
        id: MailingId(3),
        content: MailingContent::Release(ReleaseId(1)),
        audience: AudienceQuery { lists: ["media".parse().unwrap()].into(), ..AudienceQuery::default() },
        schedule: Schedule { at: minute(0), zone: "Europe/Stockholm".into(), missed, grace_seconds: 600 },
        uncertain: UncertainPolicy::Resend,
        stage: Stage::Scheduled,
        pause: None,
        approval_required: false,
        approval: None,
        content_hash: "0123456789abcdef".into(),
        reopened: 0,
        created: minute(-60),
        created_by: "anna".into(),
        created_uid: None,
        undo_seconds: 0,
        edits: Vec::new(),
        approvals_needed: 1,
        first_approval: None,
    }
}

fn frozen() -> Frozen {
    Frozen { at: minute(1), chunks: 2, audience: 300 }
}

fn at_each_stage() -> Vec<Mailing> {
    let stages = [
        Stage::Scheduled,
        Stage::Freezing { cursor: SubscriberId(9), chunks: 1, audience: 256, since: minute(0) },
        Stage::Sending(frozen()),
        Stage::Finished { frozen: frozen(), at: minute(2) },
        Stage::Cancelled { frozen: None, at: minute(2), by: "bo".into() },
        Stage::Expired { at: minute(2) },
    ];
    stages.into_iter().map(|stage| Mailing { stage, ..mailing(MissedPolicy::Send) }).collect()
}

fn allowed(action: impl Fn(&mut Mailing) -> Result<(), TransitionError>) -> Vec<&'static str> {
    let words = |mut m: Mailing| {
        let (before, word) = (m.clone(), m.stage.word());
        match action(&mut m) {
            Ok(()) => Some(word),
            Err(error) => {
                assert_eq!(m, before, "a refused transition changes nothing");
                assert!(error.to_string().contains("m3"), "{error}");
                None
            }
        }
    };
    at_each_stage().into_iter().filter_map(words).collect()
}

#[test]
fn what_goes_with_which_stage() {
    assert_eq!(allowed(|m| m.begin(minute(0))), ["scheduled"]);
    assert_eq!(allowed(|m| m.expire(minute(0))), ["scheduled"]);
    assert_eq!(allowed(|m| m.change_content("f".into())), ["scheduled"]);
    assert_eq!(allowed(|m| m.reschedule(m.schedule.clone())), ["scheduled"]);
    assert_eq!(allowed(|m| m.cancel("bo", minute(3))), ["scheduled", "freezing", "sending"]);
    assert_eq!(
        allowed(|m| m.hold(PauseReason::Person { by: "bo".into() }, minute(3))),
        ["scheduled", "freezing", "sending"]
    );
    assert_eq!(allowed(Mailing::reopen), ["sending", "finished"]);
}

#[test]
fn a_mailing_is_due_at_its_time_and_missed_after_its_grace() {
    for missed in [MissedPolicy::Send, MissedPolicy::Ask, MissedPolicy::Expire] {
        assert_eq!(mailing(missed).due(minute(-1)), Due::Later(minute(0)));
        assert_eq!(mailing(missed).due(minute(0)), Due::Begin);
        assert_eq!(mailing(missed).due(minute(10)), Due::Begin);
    }
    assert_eq!(mailing(MissedPolicy::Send).due(minute(11)), Due::Begin);
    assert_eq!(mailing(MissedPolicy::Ask).due(minute(11)), Due::Ask);
    assert_eq!(mailing(MissedPolicy::Expire).due(minute(11)), Due::Expire);
}

#[test]
fn a_pause_or_a_missing_approval_holds_it_back() {
    let mut paused = mailing(MissedPolicy::Send);
    paused.hold(PauseReason::Person { by: "bo".into() }, minute(-5)).unwrap();
    assert_eq!(paused.due(minute(0)), Due::Never);
    assert!(paused.begin(minute(0)).unwrap_err().to_string().contains("paused by bo"));

    let unapproved = |missed| Mailing { approval_required: true, ..mailing(missed) };
    assert_eq!(unapproved(MissedPolicy::Send).due(minute(0)), Due::Never);
    assert_eq!(unapproved(MissedPolicy::Ask).due(minute(20)), Due::Never);
    assert!(matches!(unapproved(MissedPolicy::Expire).due(minute(0)), Due::Later(at) if at > minute(10)));
    assert_eq!(unapproved(MissedPolicy::Expire).due(minute(11)), Due::Expire);
    assert_eq!(unapproved(MissedPolicy::Send).begin(minute(0)), Err(TransitionError::Unapproved(MailingId(3))));
}

fn user(name: &str) -> Operator {
    Operator { name: name.into(), uid: None }
}

#[test]
fn an_approval_is_by_another_number_and_not_by_another_name() {
    let queued = Mailing { approval_required: true, created_uid: Some(1000), ..mailing(MissedPolicy::Send) };
    let operator = |name: &str, uid| Operator { name: name.into(), uid };
    // As when the user list cannot be read, or contains the same number twice.
    for own in [operator("uid 1000", Some(1000)), operator("deputy", Some(1000)), operator("unknown user", None)] {
        let error = queued.clone().approve(&own, minute(-5), None).unwrap_err();
        assert!(matches!(error, TransitionError::OwnApproval { .. }), "{own:?}");
    }
    queued.clone().approve(&operator("uid 1001", Some(1001)), minute(-5), None).unwrap();
}

#[test]
fn an_approval_is_by_a_second_person_of_just_this_content() {
    let mut m = Mailing { approval_required: true, ..mailing(MissedPolicy::Send) };
    assert!(matches!(m.approve(&user("anna"), minute(-5), None), Err(TransitionError::OwnApproval { .. })));
    assert!(matches!(m.approve(&user("bo"), minute(-5), Some("99999999")), Err(TransitionError::Changed { .. })));
    assert!(matches!(m.approve(&user("bo"), minute(-5), Some("01")), Err(TransitionError::Changed { .. })));
    m.approve(&user("bo"), minute(-5), Some("01234567")).unwrap();
    assert!(m.is_approved());
    assert!(matches!(m.approve(&user("eva"), minute(-5), None), Err(TransitionError::AlreadyApproved { .. })));
    m.change_content("another".into()).unwrap();
    assert!(!m.is_approved(), "an edit voids it");
    m.approve(&user("bo"), minute(-5), None).unwrap();
    m.reschedule(Schedule { at: minute(60), ..m.schedule.clone() }).unwrap();
    assert!(!m.is_approved(), "another time voids it");
    let mut free = mailing(MissedPolicy::Send);
    assert_eq!(free.approve(&user("bo"), minute(-5), None), Err(TransitionError::NoApprovalNeeded(MailingId(3))));
}

#[test]
fn resuming_what_was_missed_sends_it_now() {
    let mut m = mailing(MissedPolicy::Ask);
    assert_eq!(m.resume(minute(-1)), Err(TransitionError::NotPaused(MailingId(3))));
    m.hold(PauseReason::Missed, minute(30)).unwrap();
    m.resume(minute(40)).unwrap();
    assert_eq!(m.due(minute(40)), Due::Begin);
    // Before its time, a pause changes nothing.
    let mut m = mailing(MissedPolicy::Ask);
    m.hold(PauseReason::Person { by: "bo".into() }, minute(-30)).unwrap();
    m.resume(minute(-20)).unwrap();
    assert_eq!(m.due(minute(-20)), Due::Later(minute(0)));
}

#[test]
fn a_new_time_answers_the_question_but_no_other_pause() {
    let mut m = mailing(MissedPolicy::Ask);
    m.hold(PauseReason::Missed, minute(30)).unwrap();
    m.reschedule(Schedule { at: minute(60), ..m.schedule.clone() }).unwrap();
    assert_eq!(m.due(minute(31)), Due::Later(minute(60)));
    m.hold(PauseReason::Person { by: "bo".into() }, minute(32)).unwrap();
    m.reschedule(Schedule { at: minute(90), ..m.schedule.clone() }).unwrap();
    assert!(m.pause.is_some());
}

#[test]
fn cancelling_while_freezing_keeps_what_was_frozen() {
    let mut m = at_each_stage().remove(1);
    m.cancel("bo", minute(3)).unwrap();
    assert_eq!(m.frozen(), Some(Frozen { at: minute(3), chunks: 1, audience: 256 }));
}

#[test]
fn each_reopening_changes_the_record() {
    let mut m = at_each_stage().remove(3);
    m.reopen().unwrap();
    let once = m.clone();
    m.reopen().unwrap();
    assert_ne!(m, once);
    assert_eq!(m.stage, Stage::Sending(frozen()));
}

#[test]
fn two_approvals_take_two_people_besides_who_queued_it() {
    let mut m = Mailing { approval_required: true, approvals_needed: 2, ..mailing(MissedPolicy::Send) };
    m.approve(&user("bo"), minute(-5), None).unwrap();
    assert!(!m.is_approved());
    let again = m.approve(&user("bo"), minute(-4), None);
    assert!(matches!(again, Err(TransitionError::SameApprover { .. })), "{again:?}");
    assert!(matches!(m.approve(&user("anna"), minute(-4), None), Err(TransitionError::OwnApproval { .. })));
    let mut changed = m.clone();
    m.approve(&user("cecilia"), minute(-3), None).unwrap();
    assert!(m.is_approved());
    changed.change_content("another".into()).unwrap();
    changed.approve(&user("cecilia"), minute(-3), None).unwrap();
    assert!(!changed.is_approved(), "the first approval was of another content");
}

#[test]
fn what_was_to_be_sent_at_once_can_be_undone_after_a_late_approval() {
    let at_once = Mailing { approval_required: true, undo_seconds: 60, ..mailing(MissedPolicy::Ask) };
    let mut late = at_once.clone();
    late.approve(&user("bo"), minute(30), None).unwrap();
    assert_eq!((late.schedule.at, late.due(minute(30))), (minute(31), Due::Later(minute(31))));
    let mut planned = Mailing { undo_seconds: 0, ..at_once };
    planned.approve(&user("bo"), minute(-5), None).unwrap();
    assert_eq!(planned.schedule.at, mailing(MissedPolicy::Ask).schedule.at);
}
