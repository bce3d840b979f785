//! `WWW-Authenticate` (RFC 9110 §11.6.1, RFC 6750 §3).

/// A way to authenticate, as a challenge names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// A token (RFC 6750).
    Bearer,
    /// An API key, or an id and a secret in headers: no registered scheme exists for them.
    ApiKey,
    /// HTTP Basic (RFC 7617).
    Basic,
}

/// One challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Challenge {
    /// How to authenticate.
    pub scheme: Scheme,
    /// Whether a credential of this kind was presented and refused; a request without one is
    /// told no error (RFC 6750 §3.1).
    pub presented: bool,
}

impl Challenge {
    /// The header's value. The realm is the policy's own text; nothing of the request is in it.
    pub fn render(self, realm: &str) -> String {
        let scheme = match self.scheme {
            Scheme::Bearer => "Bearer",
            Scheme::ApiKey => "ApiKey",
            Scheme::Basic => "Basic",
        };
        let error = match (self.scheme, self.presented) {
            (Scheme::Bearer, true) => ", error=\"invalid_token\"",
            _ => "",
        };
        format!("{scheme} realm=\"{realm}\"{error}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_only_of_a_token_that_was_presented() {
        for (scheme, presented, expected) in [
            (Scheme::Bearer, false, "Bearer realm=\"api\""),
            (
                Scheme::Bearer,
                true,
                "Bearer realm=\"api\", error=\"invalid_token\"",
            ),
            (Scheme::ApiKey, true, "ApiKey realm=\"api\""),
            (Scheme::Basic, true, "Basic realm=\"api\""),
        ] {
            assert_eq!(Challenge { scheme, presented }.render("api"), expected);
        }
    }
}
