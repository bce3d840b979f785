//! Metrics by name, over all VMs.

use crate::status::Status;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Metrics {
    ids: BTreeMap<Vec<u8>, u32>,
    metrics: BTreeMap<u32, Metric>,
}

#[derive(Debug)]
struct Metric {
    name: Vec<u8>,
    kind: Kind,
    /// A counter's or gauge's value; a histogram's last one.
    value: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Metrics {
    pub(crate) fn define(&mut self, kind: u32, name: &[u8]) -> Result<u32, Status> {
        let kind = match kind {
            0 => Kind::Counter,
            1 => Kind::Gauge,
            2 => Kind::Histogram,
            _ => return Err(Status::BadArgument),
        };
        let next = u32::try_from(self.ids.len()).map_or(u32::MAX, |count| count.saturating_add(1));
        let id = *self.ids.entry(name.to_vec()).or_insert(next);
        self.metrics.entry(id).or_insert(Metric {
            name: name.to_vec(),
            kind,
            value: 0,
        });
        Ok(id)
    }

    pub(crate) fn increment(&mut self, id: u32, by: i64) -> Status {
        let Some(metric) = self.metrics.get_mut(&id) else {
            return Status::NotFound;
        };
        let allowed = match metric.kind {
            Kind::Counter => by >= 0,
            Kind::Gauge => true,
            Kind::Histogram => false,
        };
        if !allowed {
            return Status::BadArgument;
        }
        metric.value = metric.value.saturating_add_signed(by);
        Status::Ok
    }

    pub(crate) fn record(&mut self, id: u32, value: u64) -> Status {
        let Some(metric) = self.metrics.get_mut(&id) else {
            return Status::NotFound;
        };
        metric.value = match metric.kind {
            Kind::Counter => metric.value.saturating_add(value),
            Kind::Gauge | Kind::Histogram => value,
        };
        Status::Ok
    }

    pub(crate) fn get(&self, id: u32) -> Option<u64> {
        self.metrics.get(&id).map(|metric| metric.value)
    }

    pub(crate) fn named(&self, name: &str) -> Option<u64> {
        self.get(*self.ids.get(name.as_bytes())?)
    }

    pub(crate) fn all(&self) -> BTreeMap<String, u64> {
        self.metrics
            .values()
            .map(|metric| {
                (
                    String::from_utf8_lossy(&metric.name).into_owned(),
                    metric.value,
                )
            })
            .collect()
    }
}
