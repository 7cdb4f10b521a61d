//! Local times in an IANA zone, and the instants that they name.
//!
//! At clock changes in spring an hour of local time does not exist (a gap), in autumn one occurs twice (a fold). The
//! rule everywhere: a time in a gap means the first instant after the gap; a time in a fold means the first of the
//! two. So every local time names exactly one instant, and later local times never name earlier instants.

use chrono::{Duration, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use crate::base::clock::Timestamp;

use super::when;

/// How a local time relates to the clock changes of its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// It occurs once, as almost always.
    Once,
    /// It does not exist: the first instant after the gap is used.
    Gap,
    /// It occurs twice: the first is used.
    Fold,
}

/// An invalid zone or time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not in the IANA zone database.
    #[error("\u{201c}{given}\u{201d} is not an IANA time zone; write one such as Europe/Stockholm or UTC{}", near(.nearest))]
    Zone {
        /// What was given.
        given: String,
        /// A zone with a similar name, if there is one.
        nearest: Option<&'static str>,
    },
    /// Not a date with a time.
    #[error(
        "\u{201c}{0}\u{201d} is not a time; write 2026-11-23 09:00, \u{201c}tomorrow 9\u{201d}, \u{201c}1 mars kl 9\u{201d}, 2026-11-23T09:00+01:00 or now"
    )]
    Time(String),
    /// A day alone.
    #[error("\u{201c}{0}\u{201d} is a day without a time; add one, such as {0} 9.00")]
    NoTime(String),
}

fn near(nearest: &Option<&'static str>) -> String {
    nearest.map(|zone| format!(" (did you mean {zone}?)")).unwrap_or_default()
}

/// The zone of this name.
///
/// # Errors
/// [`TimeError::Zone`], with the most similar name, if there is one.
pub(crate) fn zone(name: &str) -> Result<Tz, TimeError> {
    name.parse().map_err(|_| {
        let wanted = name.to_ascii_lowercase();
        let nearest = chrono_tz::TZ_VARIANTS
            .iter()
            .map(|tz| (strsim::damerau_levenshtein(&wanted, &tz.name().to_ascii_lowercase()), tz.name()))
            .min()
            .filter(|(distance, _)| *distance <= 4)
            .map(|(_, name)| name);
        TimeError::Zone { given: name.to_owned(), nearest }
    })
}

/// The instant that `local` names in `zone`, and how it relates to the zone's clock changes.
pub(crate) fn instant(local: NaiveDateTime, zone: Tz) -> (Timestamp, Meeting) {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) => (at.with_timezone(&Utc), Meeting::Once),
        LocalResult::Ambiguous(first, second) => (first.min(second).with_timezone(&Utc), Meeting::Fold),
        LocalResult::None => (after_gap(local, zone), Meeting::Gap),
    }
}

/// The first instant whose local time is not before `local`: the end of the gap that contains `local`.
fn after_gap(local: NaiveDateTime, zone: Tz) -> Timestamp {
    // No offset is further than 16 hours from UTC and no gap is longer than a day, so the end lies in between.
    let (mut before, mut after) = (local.and_utc() - Duration::hours(48), local.and_utc() + Duration::hours(48));
    while after - before > Duration::seconds(1) {
        let middle = before + Duration::seconds((after - before).num_seconds() / 2);
        match middle.with_timezone(&zone).naive_local() < local {
            true => before = middle,
            false => after = middle,
        }
    }
    after
}

/// Parses a time as people write it: `now`; a local time in `zone`, with `T` or a space, with or without seconds and
/// fractions, or in words (see [`when`]); or an instant with its own offset (RFC 3339), which ignores `zone`.
///
/// # Errors
/// [`TimeError::Time`].
pub(crate) fn parse(text: &str, zone: Tz, now: Timestamp) -> Result<(Timestamp, Meeting), TimeError> {
    let text = text.trim();
    if ["now", "nu"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return Ok((now, Meeting::Once));
    }
    if let Some(at) = with_offset(text) {
        return Ok((at, Meeting::Once));
    }
    let local = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        // %S accepts a leap second, which the zone tables do not have.
        .filter(|local| local.and_utc().timestamp_subsec_nanos() < 1_000_000_000 && in_reach(local.date()));
    if let Some(local) = local {
        return Ok(instant(local, zone));
    }
    let moment = when::read(text, now.with_timezone(&zone).naive_local()).filter(|moment| in_reach(moment.date));
    let moment = moment.ok_or_else(|| TimeError::Time(text.to_owned()))?;
    match moment.time {
        Some(_) => Ok(instant(moment.local(), zone)),
        None => Err(TimeError::NoTime(text.to_owned())),
    }
}

fn with_offset(text: &str) -> Option<Timestamp> {
    let forms = ["%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M%:z", "%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%d %H:%M%:z"];
    let zulu = text.strip_suffix(['Z', 'z']).map(|bare| format!("{bare}+00:00"));
    let text = zulu.as_deref().unwrap_or(text);
    let at = forms.iter().find_map(|form| chrono::DateTime::parse_from_str(text, form).ok())?;
    in_reach(at.date_naive()).then(|| at.with_timezone(&Utc))
}

/// Whether a year is plausible: a mistyped one (0226, 20266) is an error.
fn in_reach(date: NaiveDate) -> bool {
    use chrono::Datelike;
    (1970..=2200).contains(&date.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap()
    }

    fn check(zone_name: &str, text: &str, utc: &str, meeting: Meeting) {
        let found = instant(local(text), zone(zone_name).unwrap());
        assert_eq!((found.0.to_rfc3339(), found.1), (format!("{}+00:00", utc.replace(' ', "T")), meeting), "{text}");
    }

    #[test]
    fn a_time_that_comes_once() {
        check("Europe/Stockholm", "2026-11-23 09:00:00", "2026-11-23 08:00:00", Meeting::Once);
        check("Asia/Kolkata", "2026-11-23 09:00:00", "2026-11-23 03:30:00", Meeting::Once);
        check("UTC", "2028-02-29 00:00:00", "2028-02-29 00:00:00", Meeting::Once);
    }

    #[test]
    fn a_time_in_a_gap_is_the_first_instant_after_it() {
        check("Europe/Stockholm", "2027-03-28 02:00:00", "2027-03-28 01:00:00", Meeting::Gap);
        check("Europe/Stockholm", "2027-03-28 02:59:59", "2027-03-28 01:00:00", Meeting::Gap);
        check("Europe/Stockholm", "2027-03-28 03:00:00", "2027-03-28 01:00:00", Meeting::Once);
        check("America/New_York", "2027-03-14 02:30:00", "2027-03-14 07:00:00", Meeting::Gap);
        // Half an hour is skipped.
        check("Australia/Lord_Howe", "2026-10-04 02:15:00", "2026-10-03 15:30:00", Meeting::Gap);
        // A whole day is skipped.
        check("Pacific/Apia", "2011-12-30 12:00:00", "2011-12-30 10:00:00", Meeting::Gap);
    }

    #[test]
    fn a_time_in_a_fold_is_the_first_of_the_two() {
        check("Europe/Stockholm", "2026-10-25 02:30:00", "2026-10-25 00:30:00", Meeting::Fold);
        check("America/New_York", "2026-11-01 01:30:00", "2026-11-01 05:30:00", Meeting::Fold);
        check("Australia/Lord_Howe", "2027-04-04 01:45:00", "2027-04-03 14:45:00", Meeting::Fold);
    }

    #[test]
    fn what_people_write() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let stockholm = zone("Europe/Stockholm").unwrap();
        let nine: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        for text in ["2026-11-23 09:00", "2026-11-23T09:00:00", "2026-11-23T08:00Z", " 2026-11-23T03:00:00-05:00 "] {
            assert_eq!(parse(text, stockholm, now), Ok((nine, Meeting::Once)), "{text}");
        }
        let printed: Timestamp = "2026-11-23T08:00:00.683Z".parse().unwrap();
        for text in [
            "2026-11-23T08:00:00.683Z",
            "2026-11-23 08:00:00.683Z",
            "2026-11-23 09:00:00.683",
            "2026-11-23T09:00:00.683000",
        ] {
            assert_eq!(parse(text, stockholm, now), Ok((printed, Meeting::Once)), "{text}");
        }
        assert_eq!(parse("now", stockholm, now), Ok((now, Meeting::Once)));
        for text in [
            "",
            "tomorrow",
            "2026-11-23",
            "09:00",
            "2026-02-30 09:00",
            "0226-11-23 09:00",
            "2026-11-23 09:00:60",
            "2026-11-23 09:00:00.x",
        ] {
            assert!(parse(text, stockholm, now).is_err(), "{text}");
        }
    }

    #[test]
    fn an_unknown_zone_is_named_with_its_nearest() {
        let error = zone("Europe/Stokholm").unwrap_err().to_string();
        assert!(error.contains("Europe/Stokholm") && error.contains("did you mean Europe/Stockholm?"), "{error}");
        assert!(zone("").is_err());
    }
}
