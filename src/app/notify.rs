//! What systemd is told (sd_notify(3)). Without systemd nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

/// The daemon answers.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is being read again; [`ready`] must follow.
pub fn reloading() {
    // systemd 253 and newer want to know when (sd_notify(3), RELOADING=1).
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The daemon stops, and may take so long.
pub fn stopping(timeout: Duration) {
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(microseconds(timeout + Duration::from_secs(10)))]);
}

/// All is well.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// A start that takes long goes on.
pub fn still_starting(status: &str) {
    tell(&[NotifyState::ExtendTimeoutUsec(microseconds(Duration::from_secs(60))), NotifyState::Status(status)]);
}

/// How often to look and say [`alive`], if at all: a third of the time after which systemd loses patience, so that a look
/// that takes its time still leaves time for another.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|time_limit| time_limit / 3)
}

fn microseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
