//! Shared queues.

use crate::status::Status;
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug, Default)]
pub(crate) struct Queues {
    ids: BTreeMap<Vec<u8>, u32>,
    queues: BTreeMap<u32, Queue>,
}

#[derive(Debug)]
struct Queue {
    /// Whom a message wakes: the VM's serial number and its root context.
    owner: (u64, u32),
    messages: VecDeque<Vec<u8>>,
}

impl Queues {
    /// Who registers a name last is woken; messages stay.
    pub(crate) fn register(&mut self, name: &[u8], owner: (u64, u32)) -> u32 {
        let next = u32::try_from(self.ids.len()).map_or(u32::MAX, |count| count.saturating_add(1));
        let id = *self.ids.entry(name.to_vec()).or_insert(next);
        self.queues
            .entry(id)
            .and_modify(|queue| queue.owner = owner)
            .or_insert(Queue {
                owner,
                messages: VecDeque::new(),
            });
        id
    }

    pub(crate) fn resolve(&self, name: &[u8]) -> Option<u32> {
        self.ids.get(name).copied()
    }

    /// Puts a message in and tells whom to wake. A queue whose VM is gone takes it all the
    /// same (measured).
    pub(crate) fn enqueue(&mut self, id: u32, message: &[u8]) -> Result<(u64, u32), Status> {
        let queue = self.queues.get_mut(&id).ok_or(Status::NotFound)?;
        queue.messages.push_back(message.to_vec());
        Ok(queue.owner)
    }

    pub(crate) fn dequeue(&mut self, id: u32) -> Result<Vec<u8>, Status> {
        let queue = self.queues.get_mut(&id).ok_or(Status::NotFound)?;
        queue.messages.pop_front().ok_or(Status::Empty)
    }

    /// Messages that nobody took yet, over all queues.
    pub(crate) fn waiting(&self) -> usize {
        self.queues.values().map(|queue| queue.messages.len()).sum()
    }
}
