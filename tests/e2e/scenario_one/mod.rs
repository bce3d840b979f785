//! Scenario 1 line by line: with two workers and with four, against a real OAuth server and against one that does
//! what a test says, with a registry over SQLite behind its `lookup`.
//!
//! `lines` holds what must be so whoever the OAuth server is, `scripted` what only a scripted one can be made to do,
//! `lookup` what the registry's side adds.

mod lines;
mod lookup;
mod scripted;
mod stage;

use stage::{Provider, Side, Stage};

/// A test for each line.
macro_rules! tests {
    ($workers:expr, $provider:expr, $($module:ident: $($line:ident),+;)+) => {
        $($(
            #[test]
            fn $line() {
                let stage = super::Stage::with_workers($workers);
                super::$module::$line(&super::Side::new(&stage, $provider));
                stage.assert_well();
            }
        )+)+
    };
}

/// What holds with any OAuth server.
macro_rules! lines {
    ($workers:expr, $provider:expr) => {
        tests! { $workers, $provider,
            lines:
                a_good_pair_becomes_a_token_and_the_upstream_sees_neither_secret_nor_forged_identity,
                a_thousand_more_requests_on_all_workers_ask_the_endpoint_once,
                two_hundred_concurrent_first_requests_ask_the_endpoint_once_and_all_succeed,
                a_missing_header_is_credentials_missing,
                a_wrong_secret_is_exchange_refused_and_the_endpoint_is_not_bothered_again,
                while_the_endpoint_is_down_a_new_pair_is_503,
                while_the_endpoint_is_down_a_held_token_passes,
                a_token_near_its_end_is_refreshed_in_the_background_and_no_request_waits,
                a_client_that_metadata_calls_disabled_is_403_lookup_denied,
                another_secret_never_gets_the_tokens_of_the_first,
                a_client_that_goes_away_leaves_the_others_their_answer;
        }
    };
}

/// What needs an OAuth server that misbehaves, or that tells the registry's part from the rest.
macro_rules! scripted_lines {
    ($workers:expr) => {
        tests! { $workers, super::Provider::Scripted,
            scripted:
                a_429_is_passed_on_and_the_endpoint_is_left_alone,
                a_token_signed_by_an_unknown_key_refetches_the_keys_once_then_is_401,
                a_rotated_secret_gets_a_token_of_its_own;
            lookup:
                metadata_reaches_the_upstream_and_is_asked_for_once_a_worker,
                a_client_that_the_registry_never_heard_of_is_403_and_not_asked_about_again,
                concurrent_requests_on_a_worker_share_one_look_up,
                a_registry_that_fails_is_503_and_never_a_pass,
                a_registry_that_is_down_is_503_and_what_is_known_goes_on,
                a_disabled_client_is_refused_once_the_answer_is_too_old;
        }
    };
}

mod two_workers_real {
    lines! { 2, super::Provider::Real }
}

mod two_workers_scripted {
    lines! { 2, super::Provider::Scripted }
    scripted_lines! { 2 }
}

mod four_workers_real {
    lines! { 4, super::Provider::Real }
}

mod four_workers_scripted {
    lines! { 4, super::Provider::Scripted }
    scripted_lines! { 4 }
}
