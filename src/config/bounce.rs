//! The section `[bounce]`: when a subscriber is suspended, and what happens to suspended subscribers.

use std::time::Duration;

use crate::model::bounce::BouncePolicy;
use crate::model::recurrence::Recurrence;
use crate::subscribers::suspended::SuspendedPolicy;

use super::reader::Reader;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Settings of bounces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BounceConfig {
    /// When bounces suspend a subscriber.
    pub policy: BouncePolicy,
    /// What happens to suspended subscribers.
    pub suspended: SuspendedPolicy,
    /// When probes are sent and evaluated: five cron fields in the schedule's zone.
    pub look_after: String,
    /// When the lists' owners are notified: five cron fields in the schedule's zone.
    pub tell_owners: String,
}

impl Default for BounceConfig {
    fn default() -> Self {
        Self {
            policy: BouncePolicy::default(),
            suspended: SuspendedPolicy::default(),
            look_after: "37 7 * * *".to_owned(),
            tell_owners: "47 7 * * 1".to_owned(),
        }
    }
}

impl BounceConfig {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        reader.section("bounce");
        let Self { policy, suspended, .. } = self;
        reader.number("address_mailings", 1..=20, &mut policy.address.mailings);
        reader.span("address_over", Duration::ZERO..=365 * DAY, &mut policy.address.over);
        reader.number("mailbox_mailings", 1..=20, &mut policy.mailbox.mailings);
        reader.span("mailbox_over", Duration::ZERO..=365 * DAY, &mut policy.mailbox.over);
        reader.span("came_through_after", HOUR..=30 * DAY, &mut policy.came_through_after);
        reader.choice("suspended", &[("report", false), ("probe", true)], &mut suspended.probe);
        reader.span("probe_after", HOUR..=365 * DAY, &mut suspended.probe_after);
        reader.number("probes", 1..=20, &mut suspended.probes);
        reader.span("arrived_after", HOUR..=30 * DAY, &mut suspended.arrived_after);
        let fields = "five cron fields such as \"37 7 * * *\"";
        for (name, when) in [("look_after", &mut self.look_after), ("tell_owners", &mut self.tell_owners)] {
            reader.text(name, fields, when);
            if let Err(error) = Recurrence::new(when, "UTC") {
                reader.problem(&format!("bounce.{name}"), error.to_string());
            }
        }
    }
}
