//! Tests of `app`.

mod kill;
mod liveness;
mod reload;
mod service;
mod socket_activation;
mod stop;
