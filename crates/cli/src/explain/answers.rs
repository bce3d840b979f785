//! What other servers would answer, given as files.

use super::names::Names;
use crate::input::read;
use crate::offline::{Met, Servers, call_header, call_url, url_of};
use doorward_core::authenticate::Authenticator;
use doorward_core::host::{Answer, Call};
use doorward_core::policy::document::suggest;
use doorward_core::policy::{Policy, absolute_url};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// An answer as the command line names it.
#[derive(Debug, Clone)]
pub struct Given {
    status: u16,
    body: Option<PathBuf>,
}

/// `NAME=FILE`, `NAME=STATUS` or `NAME=STATUS:FILE`. A URL may have `=` in it: the last
/// one counts.
pub fn pair(text: &str) -> Result<(String, Given), String> {
    let (name, answer) = text
        .rsplit_once('=')
        .filter(|(name, answer)| !name.is_empty() && !answer.is_empty())
        .ok_or("expected NAME=FILE, NAME=STATUS or NAME=STATUS:FILE")?;
    let status = |text: &str| {
        let number = text.parse::<u16>().ok();
        number.filter(|status| text.len() == 3 && (100..600).contains(status))
    };
    let given = match answer.split_once(':') {
        Some((code, file)) if status(code).is_some() => Given {
            status: status(code).unwrap_or_default(),
            body: Some(file.into()),
        },
        _ => match status(answer) {
            Some(status) => Given { status, body: None },
            None => Given {
                status: 200,
                body: Some(answer.into()),
            },
        },
    };
    Ok((name.to_owned(), given))
}

impl Given {
    fn read(&self) -> Result<Answer, String> {
        Ok(Answer::Reply {
            status: self.status,
            retry_after: None,
            body: match &self.body {
                Some(file) => read(file)?,
                None => Vec::new(),
            },
        })
    }
}

/// A call whose answer is known.
struct Known {
    cluster: String,
    method: &'static str,
    url: String,
    answer: Answer,
}

/// Every known answer.
#[derive(Default)]
pub struct Answers {
    known: Vec<Known>,
    /// By the authenticator's index: what is asked shows only when a request is judged.
    lookups: BTreeMap<usize, Answer>,
    /// The URLs that look-ups asked for, and whose they are.
    asked: RefCell<BTreeMap<String, usize>>,
}

impl Answers {
    /// Finds out which calls of the policy the given answers belong to.
    ///
    /// # Errors
    /// A name that the policy doesn't have, and files that can't be read.
    pub fn new(
        policy: &Policy,
        names: &Names,
        jwks: &[(String, Given)],
        exchanges: &[(String, Given)],
        lookups: &[(String, Given)],
    ) -> Result<Answers, String> {
        let mut all = Answers::default();
        for (url, given) in jwks {
            let remote = policy.remotes.iter().find(|remote| remote.url == *url);
            let urls = policy.remotes.iter().map(|remote| remote.url.as_str());
            let remote = remote.ok_or_else(|| unknown("remote key set has the URL", url, urls))?;
            all.known.push(Known {
                cluster: remote.cluster.clone(),
                method: "GET",
                url: url_of(remote.scheme, &remote.authority, &remote.path),
                answer: given.read()?,
            });
        }
        for (name, given) in exchanges {
            let found = policy.exchanges.iter().find(|one| one.name == *name);
            let known = policy.exchanges.iter().map(|one| one.name.as_str());
            let one = found.ok_or_else(|| unknown("exchange is called", name, known))?;
            all.known.push(Known {
                cluster: one.cluster.clone(),
                method: "POST",
                url: url_of(one.scheme, &one.authority, &one.path),
                answer: given.read()?,
            });
        }
        for (name, given) in lookups {
            let lookups = policy.authenticators.iter().enumerate();
            let mut lookups = lookups.filter_map(|(index, authenticator)| match authenticator {
                Authenticator::ClientCredentials(own) if own.lookup.is_some() => {
                    Some((names.authenticator(index), index))
                }
                _ => None,
            });
            let known: Vec<&str> = lookups.clone().map(|(name, _)| name).collect();
            let found = lookups.find(|(other, _)| other == name);
            let (_, index) = found
                .ok_or_else(|| unknown("look-up is of an authenticator called", name, known))?;
            all.lookups.insert(index, given.read()?);
        }
        Ok(all)
    }

    /// The answer to a call, where one is known.
    fn find(&self, call: &Call) -> Option<&Answer> {
        let url = call_url(call);
        let method = call_header(call, ":method");
        let known = self.known.iter().find(|known| {
            known.cluster == call.cluster && known.method == method && known.url == url
        });
        if let Some(known) = known {
            return Some(&known.answer);
        }
        let asked = self.asked.borrow();
        self.lookups.get(asked.get(&url)?)
    }
}

impl Servers for Answers {
    fn answer(&self, call: &Call) -> Met {
        match self.find(call) {
            Some(answer) => Met::Answer(answer.clone(), Duration::ZERO),
            None => Met::Nothing,
        }
    }

    fn asked(&self, authenticator: usize, url: &str) {
        if let Some(url) = absolute_url(url) {
            let url = url_of(url.scheme, &url.authority, &url.path);
            self.asked.borrow_mut().insert(url, authenticator);
        }
    }
}

fn unknown<'n>(what: &str, name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let hint = match suggest(name, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if known.is_empty() => "the policy has none".to_owned(),
        None => format!("there are: {}", known.join(", ")),
    };
    format!("no {what} \"{name}\"; {hint}")
}
