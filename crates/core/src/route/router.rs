//! All rules' patterns in one tree of segments, so that a request's cost grows with the
//! length of its path and not with the number of rules.

use super::{Pattern, Segment, Target};
use crate::http::normalise_host;
use hashbrown::HashMap;

/// How many labels of a host are looked at; a name has at most 127 (RFC 1035 §2.3.4).
const MAX_LABELS: usize = 127;

/// Which requests a rule is about, beside its path and hosts.
#[derive(Debug, Clone, Default)]
struct Condition {
    pattern: Vec<Segment>,
    methods: Vec<String>,
}

/// Rules whose pattern ends at one place, each list in the document's order.
#[derive(Debug, Default)]
struct Candidates {
    any_host: Vec<usize>,
    /// By a host's name, or by `.` and the suffix that it must have.
    by_host: HashMap<String, Vec<usize>>,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    variable: Option<Box<Node>>,
    here: Candidates,
    /// Of patterns that end here with `**`.
    below: Candidates,
}

/// The compiled matcher: the first rule, in the document's order, that matches.
#[derive(Debug, Default)]
pub struct Router {
    rules: Vec<Condition>,
    exact: Node,
    /// Rules with `ignore_case`, their literals in lower case.
    folded: Node,
}

/// A rule that matches and the values of its path variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The rule's index in the document.
    pub rule: usize,
    /// Names and decoded values of the path variables, in the path's order.
    pub variables: Vec<(String, String)>,
}

impl Router {
    /// Adds the next rule. `methods` and `hosts` empty: all. Hosts must have passed
    /// [`Router::check_host`].
    pub fn add(&mut self, pattern: &Pattern, methods: &[String], hosts: &[String], fold: bool) {
        let index = self.rules.len();
        let mut node = if fold {
            &mut self.folded
        } else {
            &mut self.exact
        };
        for segment in &pattern.segments {
            node = match segment {
                Segment::Literal(text) if fold => node.literals.entry(fold_case(text)).or_default(),
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::Variable(_) => node.variable.get_or_insert_default(),
            };
        }
        let candidates = if pattern.below {
            &mut node.below
        } else {
            &mut node.here
        };
        candidates.add(index, hosts);
        self.rules.push(Condition {
            pattern: pattern.segments.clone(),
            methods: methods
                .iter()
                .map(|method| method.to_ascii_uppercase())
                .collect(),
        });
    }

    /// What is wrong with a rule's host, if anything: it must be written as requests' hosts
    /// are compared, or no request would ever match.
    pub fn check_host(host: &str) -> Result<(), String> {
        const FORM: &str =
            "a host is a name like `api.example.com`, or `*.example.com` for all below it";
        let name = host.strip_prefix("*.").unwrap_or(host);
        if !name.is_ascii() {
            return Err("write the name in its ASCII form (`xn--…`), as requests do".to_owned());
        }
        match normalise_host(name) {
            None => Err(FORM.to_owned()),
            Some(normal) if normal == name.to_ascii_lowercase() => Ok(()),
            Some(normal) => Err(format!("hosts are compared as `{normal}`: write it so")),
        }
    }

    /// The first rule that matches.
    pub fn find(&self, method: &str, host: &str, target: &Target) -> Option<Matched> {
        let mut found = None;
        self.walk(&self.exact, target.segments(), method, host, &mut found);
        if !self.folded.is_leaf() {
            let folded: Vec<String> = target.segments().map(fold_case).collect();
            let folded = folded.iter().map(String::as_str);
            self.walk(&self.folded, folded, method, host, &mut found);
        }
        let rule = found?;
        let pattern = &self.rules.get(rule)?.pattern;
        let variables = pattern
            .iter()
            .zip(target.values())
            .filter_map(|(segment, value)| match segment {
                Segment::Variable(name) => Some((name.clone(), value.to_owned())),
                Segment::Literal(_) => None,
            })
            .collect();
        Some(Matched { rule, variables })
    }

    /// Visits every node that matches a prefix of the path. A node is visited at most once,
    /// and there are at most two ways on at each segment, so a policy bounds the work.
    fn walk<'t>(
        &self,
        root: &Node,
        segments: impl Iterator<Item = &'t str>,
        method: &str,
        host: &str,
        found: &mut Option<usize>,
    ) {
        let mut level = vec![root];
        let mut next = Vec::new();
        for segment in segments {
            for node in level.drain(..) {
                self.choose(&node.below, method, host, found);
                next.extend(node.literals.get(segment));
                next.extend(node.variable.as_deref());
            }
            std::mem::swap(&mut level, &mut next);
            if level.is_empty() {
                return;
            }
        }
        for node in level {
            self.choose(&node.below, method, host, found);
            self.choose(&node.here, method, host, found);
        }
    }

    fn choose(&self, candidates: &Candidates, method: &str, host: &str, found: &mut Option<usize>) {
        for list in candidates.of_host(host) {
            let first = list
                .iter()
                .copied()
                .take_while(|rule| found.is_none_or(|best| *rule < best))
                .find(|rule| self.rules.get(*rule).is_some_and(|rule| rule.takes(method)));
            if first.is_some() {
                *found = first;
            }
        }
    }
}

/// Folds letter case as the most generous upstream would (Java's equalsIgnoreCase): over
/// upper case, so that `ı` is `i` and `ſ` is `s`.
fn fold_case(text: &str) -> String {
    text.to_uppercase().to_lowercase()
}

impl Node {
    fn is_leaf(&self) -> bool {
        self.literals.is_empty()
            && self.variable.is_none()
            && self.here.is_empty()
            && self.below.is_empty()
    }
}

impl Condition {
    fn takes(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|one| one == method)
    }
}

impl Candidates {
    fn add(&mut self, rule: usize, hosts: &[String]) {
        if hosts.is_empty() {
            self.any_host.push(rule);
        }
        for host in hosts {
            let host = host.to_ascii_lowercase();
            let key = host.strip_prefix('*').unwrap_or(&host).to_owned();
            self.by_host.entry(key).or_default().push(rule);
        }
    }

    /// The lists that a host's rules may stand in: a few, however many hosts there are.
    fn of_host<'c>(&'c self, host: &'c str) -> impl Iterator<Item = &'c Vec<usize>> {
        // `*.example.com` needs a label before its dot, so the first byte never begins one.
        // Most rules are for all hosts: then there is nothing to look up.
        let host = if self.by_host.is_empty() { "" } else { host };
        let dots = (1..host.len()).filter(|at| host.as_bytes().get(*at) == Some(&b'.'));
        let suffixes = dots.take(MAX_LABELS).filter_map(|at| host.get(at..));
        // Names never begin with a dot, as suffixes do here.
        let exact = Some(host).filter(|host| !host.is_empty() && !host.starts_with('.'));
        let named = exact
            .into_iter()
            .chain(suffixes)
            .filter_map(|key| self.by_host.get(key));
        std::iter::once(&self.any_host).chain(named)
    }

    fn is_empty(&self) -> bool {
        self.any_host.is_empty() && self.by_host.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Path, methods, hosts, ignore_case.
    type Rule<'t> = (&'t str, &'t [&'t str], &'t [&'t str], bool);

    fn router(rules: &[Rule]) -> Router {
        let owned = |list: &[&str]| list.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        let mut router = Router::default();
        for (path, methods, hosts, fold) in rules {
            let pattern = Pattern::parse(path).unwrap();
            router.add(&pattern, &owned(methods), &owned(hosts), *fold);
        }
        router
    }

    fn find(router: &Router, method: &str, host: &str, path: &str) -> Option<usize> {
        let target = Target::parse(path.as_bytes()).unwrap();
        router
            .find(method, host, &target)
            .map(|matched| matched.rule)
    }

    #[test]
    fn the_first_rule_in_the_document_decides() {
        let router = router(&[
            ("/orders/special", &["GET"], &[], false),
            (
                "/orders/{id}",
                &[],
                &["api.example.com", "*.shop.example.com"],
                false,
            ),
            ("/orders/**", &["GET", "POST"], &[], false),
            ("/Upper/**", &[], &[], true),
            ("/orders/special", &[], &[], false),
            ("/", &[], &[], false),
        ]);
        for (method, host, path, rule) in [
            ("GET", "x", "/orders/special", Some(0)),
            ("POST", "x", "/orders/special", Some(2)),
            ("PUT", "x", "/orders/special", Some(4)),
            ("PUT", "api.example.com", "/orders/special", Some(1)),
            ("PUT", "a.shop.example.com", "/orders/7", Some(1)),
            ("PUT", "a.b.shop.example.com", "/orders/7", Some(1)),
            ("PUT", "shop.example.com", "/orders/7", None),
            ("PUT", "evilshop.example.com", "/orders/7", None),
            ("PUT", ".shop.example.com", "/orders/7", None),
            ("GET", "x", "/orders", Some(2)),
            ("GET", "x", "/orders/", Some(2)),
            ("GET", "x", "/orders/a/b/c", Some(2)),
            ("GET", "x", "/ordersx", None),
            ("GET", "x", "/Orders/a", None),
            ("GET", "x", "/UPPER/a", Some(3)),
            ("GET", "x", "/upper;x/a", Some(3)),
            ("GET", "x", "/", Some(5)),
            ("get", "x", "/orders", None),
        ] {
            assert_eq!(
                find(&router, method, host, path),
                rule,
                "{method} {host}{path}"
            );
        }
    }

    #[test]
    fn thousands_of_hosts_on_one_path_each_find_their_rule() {
        let hosts: Vec<String> = (0..5000)
            .map(|number| format!("t{number}.example.com"))
            .collect();
        let mut router = Router::default();
        let pattern = Pattern::parse("/orders/**").unwrap();
        for host in &hosts {
            router.add(&pattern, &[], std::slice::from_ref(host), false);
        }
        for (rule, host) in hosts.iter().enumerate() {
            assert_eq!(find(&router, "GET", host, "/orders/7"), Some(rule));
        }
        assert_eq!(find(&router, "GET", "t5000.example.com", "/orders/7"), None);
    }

    #[test]
    fn variables_are_one_decoded_segment() {
        let router = router(&[("/v1/{client}/sessions/{id}", &[], &[], true)]);
        let target = Target::parse(b"/V1/A%20b/Sess\xc4\xb1ons/x%3By");
        assert!(target.is_err(), "only ASCII stands in a path");
        let target = Target::parse(b"/V1/A%20b/Sess%C4%B1ons/x%3By").unwrap();
        let matched = router.find("GET", "", &target).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            matched.variables,
            [pair("client", "A b"), pair("id", "x;y")]
        );
        assert_eq!(find(&router, "GET", "", "/v1/a/b/sessions/c"), None);
    }

    #[test]
    fn hosts_are_checked() {
        for (host, good) in [
            ("api.example.com", true),
            ("*.example.com", true),
            ("[::1]", true),
            ("*", false),
            ("a.*.com", false),
            ("api.example.com:80", false),
            ("https://x", false),
            ("[2001:db8:0:0::1]", false),
            ("a..b", false),
            ("a.b@c", false),
            ("a.b.", false),
            ("bücher.example", false),
            ("API.Example.com", true),
            ("", false),
        ] {
            assert_eq!(Router::check_host(host).is_ok(), good, "{host}");
        }
    }
}
