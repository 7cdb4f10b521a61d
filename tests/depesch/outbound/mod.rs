//! Tests of `outbound`.

mod bounce_in_session;
mod dispatch_breaker;
mod dispatch_cancel;
mod dispatch_crash;
mod dispatch_incredible;
mod dispatch_intent;
mod dispatch_outcomes;
mod dispatch_pace;
mod dispatch_trouble;
mod dispatch_unavailable;
mod dispatch_unwanted;
mod drain;
mod notices_crash;
mod notices_returned;
mod notices_sending;
mod outbound_flush;
mod relay_puts_off;
