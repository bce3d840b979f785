//! The HTTP side.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::database::Database;
use super::{KEY, KEY_HEADER};
use crate::server::locked;

/// What the service and the registry's handle share.
#[derive(Debug)]
pub(super) struct State {
    database: Mutex<Database>,
    manner: Mutex<Manner>,
}

/// How it answers, and whom it was asked about.
#[derive(Debug, Default)]
struct Manner {
    asked: BTreeMap<String, usize>,
    delay: Duration,
    status: Option<u16>,
}

impl State {
    pub(super) fn new(database: Database) -> Self {
        Self {
            database: Mutex::new(database),
            manner: Mutex::default(),
        }
    }

    pub(super) fn database(&self) -> MutexGuard<'_, Database> {
        locked(&self.database)
    }

    pub(super) fn asked(&self, id: &str) -> usize {
        let manner = locked(&self.manner);
        manner.asked.get(id).copied().unwrap_or_default()
    }

    pub(super) fn set_delay(&self, delay: Duration) {
        locked(&self.manner).delay = delay;
    }

    pub(super) fn fail_with(&self, status: Option<u16>) {
        locked(&self.manner).status = status;
    }

    /// Counts a request, and says how it is to be answered.
    fn came(&self, id: &str) -> (Duration, Option<u16>) {
        let mut manner = locked(&self.manner);
        *manner.asked.entry(id.to_owned()).or_default() += 1;
        (manner.delay, manner.status)
    }
}

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/v1/api-tokens/{id}", get(metadata))
        .with_state(state)
}

async fn metadata(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let (delay, status) = state.came(&id);
    tokio::time::sleep(delay).await;
    if let Some(status) = status.and_then(|status| StatusCode::from_u16(status).ok()) {
        return problem(status, "as it was told to");
    }
    let key = headers.get(KEY_HEADER).map(|value| value.as_bytes());
    if key != Some(KEY.as_bytes()) {
        return problem(StatusCode::UNAUTHORIZED, "the key is missing or wrong");
    }
    match state.database().get(&id) {
        Ok(Some(row)) => Json(row).into_response(),
        Ok(None) => problem(StatusCode::NOT_FOUND, "no such client"),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn problem(status: StatusCode, detail: &str) -> Response {
    (status, Json(json!({"detail": detail}))).into_response()
}
