//! The facts in this host.

use testhost::{Answering, Cluster, FailurePolicy, Gateway, Outcome, Place, Reply, Request, Span};

use crate::probe::FILTER;
use crate::table::{FACTS, Fact, Send};

fn run(fact: &Fact) -> Result<(), String> {
    let failure_policy = match fact.again {
        Some(("FAIL_CLOSED", _)) => FailurePolicy::FailClosed,
        Some(("FAIL_OPEN", _)) => FailurePolicy::FailOpen,
        _ => FailurePolicy::FailReload,
    };
    let builder = Gateway::builder(&FILTER, fact.configuration())
        .workers(1)
        .failure_policy(failure_policy)
        .allow_on_headers_stop_iteration(fact.stop_iteration);
    let mut gateway = builder.start().map_err(|refused| refused.to_string())?;
    gateway.endpoint(|call| match call.cluster.as_str() {
        "good" => Answering::Now(Reply::new(200).body("hi")),
        "slow" => Answering::After(700.ms(), Reply::new(200).body("hi")),
        "refused" => Answering::Now(Reply::refused()),
        "reset" => Answering::Now(Reply::reset()),
        _ => Answering::Wait,
    });
    gateway.set_cluster("missing", Cluster::Missing);
    gateway.set_cluster("empty", Cluster::Unhealthy);
    gateway.advance(200.ms());
    let method = match fact.send {
        Send::Get | Send::Leaves => "GET",
        Send::Post | Send::Big | Send::Trailers => "POST",
    };
    let request = gateway
        .request(&format!("{method} /{}", fact.name))
        .header("x-a", "1")
        .header("x-a", "2")
        .header("authorization", "a")
        .header("authorization", "b");
    let request = match fact.send {
        Send::Get | Send::Leaves => request,
        Send::Post => request.body("hello"),
        Send::Big => request.body(vec![b'x'; 3 << 20]),
        Send::Trailers => request.body("hello").trailer("x-sum", "1"),
    };
    let request = request.send();
    if fact.send == Send::Leaves {
        gateway.leave(&request);
    }
    gateway.advance(3.s());
    let lines = |place: Option<Place>| -> Vec<String> {
        let prefix = format!("probe {} ", fact.name);
        let log = gateway.log().into_iter();
        log.filter(|log| place.is_none_or(|place| log.place == place))
            .filter_map(|log| Some(log.line.strip_prefix(&prefix)?.to_owned()))
            .collect()
    };
    let (worker, all) = (lines(Some(Place::Worker(0))), lines(None));
    let again = |gateway: &mut Gateway| {
        ["/again", "/"].map(|path| status(&gateway.request(&format!("GET {path}")).send()))
    };
    let mut wrong = String::new();
    if let Some((_, expected)) = fact.again {
        let seen = again(&mut gateway);
        if seen != expected {
            wrong = format!("{}: then {seen:?}, not {expected:?}\n", fact.name);
        }
    }
    let header = |name: &str| Some(request.upstream()?.headers.all(name));
    let checked = fact.check(&worker, &all, status(&request), header);
    let checked = checked.err().unwrap_or_default() + &wrong;
    if checked.is_empty() {
        return Ok(());
    }
    Err(format!("{checked}\n{}", gateway.trace()))
}

fn status(request: &Request) -> u16 {
    match request.outcome() {
        Outcome::Upstream(_) => 200,
        Outcome::LocalReply(reply) => reply.status,
        Outcome::Waiting | Outcome::Hangs | Outcome::Left => 0,
    }
}

impl Fact {
    /// Compares what was seen with what must be.
    pub fn check(
        &self,
        lines: &[String],
        everywhere: &[String],
        status: u16,
        upstream: impl Fn(&str) -> Option<Vec<String>>,
    ) -> Result<(), String> {
        let mut wrong = Vec::new();
        if lines != self.log {
            wrong.push(format!("logged {lines:#?}\ninstead of {:#?}", self.log));
        }
        if status != self.status {
            wrong.push(format!("status {status} instead of {}", self.status));
        }
        if upstream(":path").is_some() != self.upstream {
            wrong.push(format!("at the upstream: {:?}", !self.upstream));
        }
        if let Some((name, values)) = self.header
            && upstream(name).is_none_or(|seen| seen != values)
        {
            wrong.push(format!("{name} is {:?}, not {values:?}", upstream(name)));
        }
        if let Some((line, count)) = self.everywhere {
            let seen = everywhere.iter().filter(|other| other.starts_with(line));
            let seen = seen.count();
            if seen != count {
                wrong.push(format!("{line}: by {seen} VMs instead of {count}"));
            }
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(format!("{}: {}", self.name, wrong.join("\n"))),
        }
    }
}

#[test]
fn every_fact_holds_in_the_model() {
    let wrong: Vec<_> = FACTS.iter().filter_map(|fact| run(fact).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
