use chrono::{Datelike, Duration, NaiveDate, Timelike};
use proptest::prelude::*;

use super::*;

fn fires(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let recurrence = Recurrence::new(expression, zone).unwrap();
    let mut at: Timestamp = format!("{after}Z").parse().unwrap();
    let mut found = Vec::new();
    for _ in 0..count {
        at = recurrence.next_after(at).unwrap();
        found.push(at.format("%Y-%m-%dT%H:%M").to_string());
    }
    found
}

fn error(expression: &str) -> String {
    Recurrence::new(expression, "UTC").unwrap_err().to_string()
}

#[test]
fn each_night_in_stockholm_over_the_spring_gap() {
    // 02:30 does not exist on 28 March 2027: it fires at 03:00 summer time, once.
    let found = fires("30 2 * * *", "Europe/Stockholm", "2027-03-26T12:00:00", 3);
    assert_eq!(found, ["2027-03-27T01:30", "2027-03-28T01:00", "2027-03-29T00:30"]);
    // It fires only once if 03:00 itself is listed too.
    let found = fires("0,30 2,3 28 3 *", "Europe/Stockholm", "2027-03-27T12:00:00", 2);
    assert_eq!(found, ["2027-03-28T01:00", "2027-03-28T01:30"]);
}

#[test]
fn each_night_in_stockholm_over_the_autumn_fold() {
    let found = fires("30 2 * * *", "Europe/Stockholm", "2026-10-24T12:00:00", 2);
    assert_eq!(found, ["2026-10-25T00:30", "2026-10-26T01:30"]);
    // Queried between the two, it does not fire again.
    assert_eq!(fires("30 2 * * *", "Europe/Stockholm", "2026-10-25T01:10:00", 1), ["2026-10-26T01:30"]);
    // Each quarter fires once for each local time, and continues after the doubled hour.
    let found = fires("*/15 * * * *", "Europe/Stockholm", "2026-10-25T00:30:00", 2);
    assert_eq!(found, ["2026-10-25T00:45", "2026-10-25T02:00"]);
}

#[test]
fn new_york_and_half_hour_zones() {
    let found = fires("30 2 * * *", "America/New_York", "2027-03-13T12:00:00", 2);
    assert_eq!(found, ["2027-03-14T07:00", "2027-03-15T06:30"]);
    let found = fires("30 1 * * *", "America/New_York", "2026-10-31T12:00:00", 2);
    assert_eq!(found, ["2026-11-01T05:30", "2026-11-02T06:30"]);
    assert_eq!(fires("0 9 * * 1-5", "Asia/Kolkata", "2026-11-20T12:00:00", 1), ["2026-11-23T03:30"]);
    assert_eq!(fires("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00", 1), ["2026-10-03T15:30"]);
}

#[test]
fn leap_days_and_ends_of_months() {
    let found = fires("0 0 29 2 *", "UTC", "2026-11-21T00:00:00", 2);
    assert_eq!(found, ["2028-02-29T00:00", "2032-02-29T00:00"]);
    let found = fires("0 0 31 * *", "UTC", "2027-01-31T00:00:00", 2);
    assert_eq!(found, ["2027-03-31T00:00", "2027-05-31T00:00"]);
}

#[test]
fn sundays_names_and_weekends() {
    for expression in ["0 9 * * 0", "0 9 * * 7", "0 9 * * sun", "0 9 * * SUN", "0 9 * * 7/2"] {
        assert_eq!(fires(expression, "UTC", "2026-11-21T12:00:00", 1), ["2026-11-22T09:00"], "{expression}");
    }
    let found = fires("0 9 * * fri-sun", "UTC", "2026-11-19T12:00:00", 4);
    assert_eq!(found, ["2026-11-20T09:00", "2026-11-21T09:00", "2026-11-22T09:00", "2026-11-27T09:00"]);
    assert_eq!(fires("0 0 1 jan-mar/2 *", "UTC", "2026-11-21T00:00:00", 2), ["2027-01-01T00:00", "2027-03-01T00:00"]);
    assert_eq!(fires("@weekly", "UTC", "2026-11-21T00:00:00", 1), ["2026-11-22T00:00"]);
}

#[test]
fn two_restricted_day_fields_are_an_or_and_a_star_makes_it_an_and() {
    // Friday or the 13th.
    let found = fires("0 0 13 * fri", "UTC", "2026-11-28T00:00:00", 3);
    assert_eq!(found, ["2026-12-04T00:00", "2026-12-11T00:00", "2026-12-13T00:00"]);
    // Odd days that are Fridays, as in Vixie's cron for a field that begins with a star.
    assert_eq!(fires("0 0 */2 * fri", "UTC", "2026-11-28T00:00:00", 1), ["2026-12-11T00:00"]);
}

#[test]
fn an_error_says_which_field() {
    assert!(error("61 * * * *").contains("minute field \u{201c}61\u{201d}: \u{201c}61\u{201d} is not 0 to 59"));
    assert!(error("0 24 * * *").contains("hour field"));
    assert!(error("0 0 0 * *").contains("day of month field"));
    assert!(error("0 0 1 13 *").contains("month field"));
    assert!(error("0 0 1 okt *").contains("1 to 12 or jan to dec"));
    assert!(error("0 0 * * 8").contains("day of week field"));
    assert!(error("*/0 * * * *").contains("step"));
    assert!(error("5-1 * * * *").contains("runs backwards"));
    assert!(error("1,,2 * * * *").contains("empty"));
    assert!(error("0 0 * * * *").contains("has 6 fields, not five"));
    assert!(error("@noon").contains("@daily"));
    assert!(error("0 0 30 2 *").contains("never occurs"));
    assert!(error("+1 * * * *").contains("minute field"));
    assert!(Recurrence::new("@daily", "Mars/Olympus").unwrap_err().to_string().contains("Mars/Olympus"));
}

/// Tests every minute of local time directly against the fields.
fn brute_force(fields: &[Values; 5], zone: Tz, from: NaiveDate, days: i64) -> Vec<Timestamp> {
    let fits = |values: &Values, value: u32| values.values.contains(&value);
    let start = from.and_hms_opt(0, 0, 0).unwrap();
    let mut found: Vec<Timestamp> = (0..days * 24 * 60)
        .map(|minute| start + Duration::minutes(minute))
        .filter(|local| {
            let day = fits(&fields[2], local.day());
            let weekday = fits(&fields[4], local.weekday().num_days_from_sunday());
            let either = !fields[2].star && !fields[4].star;
            fits(&fields[0], local.minute())
                && fits(&fields[1], local.hour())
                && fits(&fields[3], local.month())
                && if either { day || weekday } else { day && weekday }
        })
        .map(|local| zone::instant(local, zone).0)
        .collect();
    found.dedup();
    found
}

fn part(low: u32, high: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        2 => (2u32..15).prop_map(|step| format!("*/{step}")),
        3 => (low..=high).prop_map(|v| v.to_string()),
        2 => (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        2 => (low..=high, low..=high).prop_map(|(a, b)| format!("{a},{b}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn it_fires_when_brute_force_says_so(
        minute in part(0, 59), hour in part(0, 23), day in part(1, 31), month in part(1, 12), weekday in part(0, 7),
        zone in prop::sample::select(vec![
            "Europe/Stockholm", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC",
        ]),
        offset in 0i64..400,
    ) {
        let expression = format!("{minute} {hour} {day} {month} {weekday}");
        let Ok(recurrence) = Recurrence::new(&expression, zone) else {
            // 30 February and the like.
            return Ok(());
        };
        let fields = read_fields(&expression).unwrap();
        let from = NaiveDate::from_ymd_opt(2026, 2, 20).unwrap() + Duration::days(offset);
        let expected = brute_force(&fields, recurrence.zone, from, 45);
        let start = from.and_hms_opt(0, 0, 0).unwrap();
        let (mut at, _) = zone::instant(start, recurrence.zone);
        let (end, _) = zone::instant(start + Duration::days(45), recurrence.zone);
        at -= Duration::seconds(1);
        let mut found = Vec::new();
        while let Some(next) = recurrence.next_after(at).filter(|next| *next < end) {
            prop_assert!(next > at);
            found.push(next);
            at = next;
        }
        prop_assert_eq!(found, expected, "{} in {}", expression, zone);
    }
}
