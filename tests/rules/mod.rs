//! The rules that all calls share: checks, idempotency, limits, errors, health.

mod deadlines;
mod health;
mod idempotency;
mod mean_client;
mod one_bad_command;
mod order_of_checks;
mod overload;
mod reads_are_fresh;
mod reflection;
mod wrong_bytes;
