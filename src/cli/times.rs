//! How commands print instants for people: in the zone of the person who runs the command.

use chrono_tz::Tz;

use crate::base::clock::Timestamp;
use crate::config::environment;

/// Formats instants as local times in one zone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    zone: Tz,
}

impl Times {
    /// In the zone of the person who runs the command: the one that `TZ` names, else the machine's, else UTC. Both are
    /// read now, once.
    pub(crate) fn of_this_person() -> Self {
        let machine = iana_time_zone::get_timezone().ok();
        Self { zone: chosen(environment::time_zone().as_deref(), machine.as_deref()) }
    }

    /// An instant to the second, with the abbreviation of its zone, e.g. `2026-11-29 23:10:00 CET`.
    pub(crate) fn instant(self, at: Timestamp) -> String {
        Self::instant_in(self.zone, at)
    }

    /// The same in `zone`, for a time that belongs to a place, e.g. the start of an event.
    pub(crate) fn instant_in(zone: Tz, at: Timestamp) -> String {
        at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z").to_string()
    }
}

/// The first of both that is the name of an IANA zone, else UTC. POSIX permits a colon before the name in `TZ`
/// (IEEE Std 1003.1, §8.3); its rules, e.g. `CET-1CEST`, name no zone.
fn chosen(tz: Option<&str>, machine: Option<&str>) -> Tz {
    let named = |name: &str| name.strip_prefix(':').unwrap_or(name).parse().ok();
    tz.and_then(named).or_else(|| machine.and_then(named)).unwrap_or(Tz::UTC)
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz::{self, Europe__Helsinki, Europe__Stockholm, UTC};

    use super::{Times, chosen};

    #[test]
    fn the_zone_is_that_of_tz_then_the_machines_then_utc() {
        let zones: [(Option<&str>, Option<&str>, Tz); 7] = [
            (Some("Europe/Stockholm"), Some("Europe/Helsinki"), Europe__Stockholm),
            (Some(":Europe/Stockholm"), Some("Europe/Helsinki"), Europe__Stockholm),
            (None, Some("Europe/Helsinki"), Europe__Helsinki),
            (Some(""), Some("Europe/Helsinki"), Europe__Helsinki),
            (Some("CET-1CEST"), Some("Europe/Helsinki"), Europe__Helsinki),
            (Some("Nowhere/Else"), Some("localtime"), UTC),
            (None, None, UTC),
        ];
        for (tz, machine, zone) in zones {
            assert_eq!(chosen(tz, machine), zone, "{tz:?} {machine:?}");
        }
    }

    #[test]
    fn an_instant_has_the_abbreviation_of_its_day() {
        let times = Times { zone: Europe__Stockholm };
        assert_eq!(times.instant("2026-11-29T22:10:00Z".parse().unwrap()), "2026-11-29 23:10:00 CET");
        assert_eq!(times.instant("2026-07-01T22:10:00.9Z".parse().unwrap()), "2026-07-02 00:10:00 CEST");
    }
}
