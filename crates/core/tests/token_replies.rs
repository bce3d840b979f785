//! The table of replies in docs/exchange.md, row by row.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::host::Answer;
use support::Proxy;
use support::exchange::{POLICY, by};

const PAGE: &str = include_str!("../../../docs/exchange.md");

#[test]
fn every_reply_of_the_documented_table_has_its_result() {
    let (_, table) = PAGE
        .split_once("| status | Retry-After | body | result |")
        .unwrap();
    let rows: Vec<_> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert!(rows.len() > 30, "{} rows", rows.len());
    for row in rows {
        let cells: Vec<_> = row
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let [_, status, retry_after, body, result, _] = cells[..] else {
            panic!("{row}");
        };
        let proxy = Proxy::new(1, POLICY);
        let ticket = proxy.ask(0, by("a"));
        let answer = Answer::Reply {
            status: status.parse().unwrap(),
            retry_after: retry_after.parse().ok(),
            body: body.as_bytes().to_vec(),
        };
        proxy.answer(&proxy.call(), answer);
        assert_eq!(proxy.said(ticket), result, "{row}");
    }
}
