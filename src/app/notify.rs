//! Notifications to systemd (sd_notify(3)). Without systemd they do nothing.

use std::time::Duration;

use sd_notify::NotifyState;

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be notified");
    }
}

/// Reports that the daemon is ready.
pub(crate) fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Reports that the configuration is being read again; [`ready`] must follow.
pub(crate) fn reloading() {
    // systemd 253 and newer require the time (sd_notify(3), RELOADING=1).
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(_) => notify(&[NotifyState::Reloading]),
    }
}

/// Reports that the daemon is stopping, and asks for `timeout` to do so.
pub(crate) fn stopping(timeout: Duration) {
    notify(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(microseconds(timeout + Duration::from_secs(10)))]);
}

/// Reports that the daemon is alive.
pub(crate) fn alive() {
    notify(&[NotifyState::Watchdog]);
}

/// Asks systemd for more time for a long start.
pub(crate) fn still_starting(status: &str) {
    notify(&[NotifyState::ExtendTimeoutUsec(microseconds(Duration::from_secs(60))), NotifyState::Status(status)]);
}

/// Interval at which to check and report [`alive`], or `None` without a watchdog: a third of systemd's timeout, so
/// that a slow check still leaves time for another.
pub(crate) fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|time_limit| time_limit / 3)
}

fn microseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
