//! Which variables an expression may use, and what it must yield, by the place it stands in.

use super::value::ValueType;

/// One of the names that expressions know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// `request`: method, host, path, query and headers of the request.
    Request,
    /// `path`: the variables of the rule's path.
    Path,
    /// `source`: where the request comes from.
    Source,
    /// `client`: who calls, as far as it is known.
    Client,
    /// `claims`: those of the verified token.
    Claims,
    /// `tenant`: the caller's tenant.
    Tenant,
    /// `scopes`: what the caller may do.
    Scopes,
    /// `metadata`: what the look-up knows of the client.
    Metadata,
    /// `assertion`: the signed assertion that goes to a token endpoint.
    Assertion,
    /// `token`: the token that a reply hands out.
    Token,
    /// `status`: the HTTP status of a refusal.
    Status,
    /// `reason`: the public reason of a refusal.
    Reason,
    /// `message`: the sentence for a refusal.
    Message,
    /// `error_id`: the name under which a refusal is found in the logs.
    ErrorId,
    /// `detail`: the list of bad fields of a malformed body.
    Detail,
    /// `retry_after`: seconds until it is worth trying again.
    RetryAfter,
}

impl Variable {
    /// Every variable, in the order of the policy's reference.
    pub const ALL: [Self; 16] = [
        Self::Request,
        Self::Path,
        Self::Source,
        Self::Client,
        Self::Claims,
        Self::Tenant,
        Self::Scopes,
        Self::Metadata,
        Self::Assertion,
        Self::Token,
        Self::Status,
        Self::Reason,
        Self::Message,
        Self::ErrorId,
        Self::Detail,
        Self::RetryAfter,
    ];

    /// The name as expressions write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Path => "path",
            Self::Source => "source",
            Self::Client => "client",
            Self::Claims => "claims",
            Self::Tenant => "tenant",
            Self::Scopes => "scopes",
            Self::Metadata => "metadata",
            Self::Assertion => "assertion",
            Self::Token => "token",
            Self::Status => "status",
            Self::Reason => "reason",
            Self::Message => "message",
            Self::ErrorId => "error_id",
            Self::Detail => "detail",
            Self::RetryAfter => "retry_after",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|variable| variable.name() == name)
    }

    /// The type of the variable's value. A look-up may answer with any JSON object, so what is
    /// inside `claims` and `metadata` is known only when a request is judged.
    pub const fn value_type(self) -> ValueType {
        match self {
            Self::Request
            | Self::Path
            | Self::Source
            | Self::Client
            | Self::Claims
            | Self::Metadata
            | Self::Token => ValueType::Map,
            Self::Scopes | Self::Detail => ValueType::List,
            Self::Tenant | Self::Assertion | Self::Reason | Self::Message | Self::ErrorId => {
                ValueType::String
            }
            Self::Status | Self::RetryAfter => ValueType::Int,
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A member of `request`, which is made only where an expression may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestPart {
    /// `request.method`.
    Method,
    /// `request.host`.
    Host,
    /// `request.path`.
    Path,
    /// `request.query`.
    Query,
    /// `request.headers`.
    Headers,
}

impl RequestPart {
    /// Every member.
    pub const ALL: [RequestPart; 5] = [
        RequestPart::Method,
        RequestPart::Host,
        RequestPart::Path,
        RequestPart::Query,
        RequestPart::Headers,
    ];

    /// The name as expressions write it.
    pub const fn name(self) -> &'static str {
        match self {
            RequestPart::Method => "method",
            RequestPart::Host => "host",
            RequestPart::Path => "path",
            RequestPart::Query => "query",
            RequestPart::Headers => "headers",
        }
    }

    /// Behind the bits of the variables.
    const fn bit(self) -> u32 {
        1 << (Variable::ALL.len() + self as usize)
    }
}

/// A set of variables, and of the parts of `request` that are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VariableSet(u32);

impl VariableSet {
    /// The set of these variables.
    pub const fn of(variables: &[Variable]) -> Self {
        let mut set = 0;
        let mut rest = variables;
        while let [first, tail @ ..] = rest {
            set |= first.bit();
            rest = tail;
        }
        Self(set)
    }

    /// Whether the variable is in the set.
    pub const fn contains(self, variable: Variable) -> bool {
        self.0 & variable.bit() != 0
    }

    /// Adds a variable.
    pub const fn insert(&mut self, variable: Variable) {
        self.0 |= variable.bit();
    }

    /// Adds `request` with the part of this name, or with all parts where any may be meant.
    pub(super) fn insert_request(&mut self, member: Option<&str>) {
        self.insert(Variable::Request);
        for part in RequestPart::ALL {
            if member.is_none_or(|member| member == part.name()) {
                self.0 |= part.bit();
            }
        }
    }

    /// Whether this part of `request` is read.
    pub const fn reads(self, part: RequestPart) -> bool {
        self.0 & part.bit() != 0
    }

    /// The members of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the order of the policy's reference.
    pub fn iter(self) -> impl Iterator<Item = Variable> + Clone {
        Variable::ALL
            .into_iter()
            .filter(move |variable| self.contains(*variable))
    }
}

/// Where in the policy an expression stands: this fixes what it can use and what it must yield.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `jwt.client`: the client that a token belongs to.
    JwtClient,
    /// `jwt.scopes`: the scopes that a token carries.
    JwtScopes,
    /// `jwt.tenant`: the tenant that a token names.
    JwtTenant,
    /// `jwt.keys.client`: the client whose own key must have signed.
    JwtKeysClient,
    /// `api_key.require_tenant`: the only tenant whose keys are valid here.
    RequireTenant,
    /// `lookup.url`: what is asked about the client.
    LookupUrl,
    /// `lookup.allow_if`: whether the look-up's answer lets the client in.
    LookupAllowIf,
    /// `exchange.form`: one more form field for a token endpoint.
    ExchangeForm,
    /// `exchange.json`: the JSON body for a token endpoint.
    ExchangeJson,
    /// `sign.claims`: the claims of a token that is signed here.
    SignClaims,
    /// `authorize.bind`: what a path variable must equal.
    Bind,
    /// `authorize.allow_if`: whether the request is allowed.
    AllowIf,
    /// `upstream.headers`: one header for the upstream.
    UpstreamHeader,
    /// `identity_headers`: one header that tells the upstream who calls.
    IdentityHeader,
    /// `issue.reply`: the body of a token endpoint's answer.
    IssueReply,
    /// `limit.per` where the limit is judged before authentication.
    LimitBeforeClient,
    /// `limit.per` where authentication comes first.
    LimitAfterClient,
    /// `errors.body`: the body of a refusal.
    ErrorBody,
}

/// What an expression has to yield in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// True or false.
    Condition,
    /// A string, or a number or truth value that is written as one.
    Text,
    /// A list of strings, or one string of words parted by spaces.
    Words,
    /// A map.
    Object,
    /// Anything that JSON can say.
    Json,
}

impl Expected {
    /// Whether a value of this type can be meant.
    pub(super) const fn accepts(self, found: ValueType) -> bool {
        match self {
            Self::Condition => matches!(found, ValueType::Bool),
            Self::Text => matches!(
                found,
                ValueType::String
                    | ValueType::Int
                    | ValueType::Uint
                    | ValueType::Double
                    | ValueType::Bool
            ),
            Self::Words => matches!(found, ValueType::String | ValueType::List),
            Self::Object => matches!(found, ValueType::Map),
            Self::Json => !matches!(found, ValueType::Bytes),
        }
    }

    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::Condition => "true or false",
            Self::Text => "a string",
            Self::Words => "a string or a list of strings",
            Self::Object => "a map",
            Self::Json => "something that JSON can say",
        }
    }
}

use Variable::{
    Assertion, Claims, Client, Detail, ErrorId, Message, Metadata, Path, Reason, Request,
    RetryAfter, Scopes, Source, Status, Tenant, Token,
};

impl Place {
    /// Every place of the policy.
    pub const ALL: [Self; 18] = [
        Self::JwtClient,
        Self::JwtScopes,
        Self::JwtTenant,
        Self::JwtKeysClient,
        Self::RequireTenant,
        Self::LookupUrl,
        Self::LookupAllowIf,
        Self::ExchangeForm,
        Self::ExchangeJson,
        Self::SignClaims,
        Self::Bind,
        Self::AllowIf,
        Self::UpstreamHeader,
        Self::IdentityHeader,
        Self::IssueReply,
        Self::LimitBeforeClient,
        Self::LimitAfterClient,
        Self::ErrorBody,
    ];

    /// The key of the policy that holds the expression, for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JwtClient => "jwt.client",
            Self::JwtScopes => "jwt.scopes",
            Self::JwtTenant => "jwt.tenant",
            Self::JwtKeysClient => "keys.client",
            Self::RequireTenant => "require_tenant",
            Self::LookupUrl => "lookup.url",
            Self::LookupAllowIf => "lookup.allow_if",
            Self::ExchangeForm => "exchange.form",
            Self::ExchangeJson => "exchange.json",
            Self::SignClaims => "sign.claims",
            Self::Bind => "bind",
            Self::AllowIf => "allow_if",
            Self::UpstreamHeader => "upstream.headers",
            Self::IdentityHeader => "identity_headers",
            Self::IssueReply => "issue.reply",
            Self::LimitBeforeClient | Self::LimitAfterClient => "limit.per",
            Self::ErrorBody => "errors.body",
        }
    }

    /// The variables that can be used here.
    pub const fn variables(self) -> VariableSet {
        VariableSet::of(match self {
            Self::JwtClient | Self::JwtScopes | Self::JwtTenant | Self::JwtKeysClient => {
                &[Request, Path, Source, Claims]
            }
            Self::RequireTenant | Self::LimitBeforeClient => &[Request, Path, Source],
            Self::LookupUrl => &[Request, Path, Source, Client, Claims],
            Self::LookupAllowIf => &[Request, Path, Source, Client, Claims, Metadata],
            Self::ExchangeForm | Self::ExchangeJson => &[Client, Assertion, Request, Path],
            Self::SignClaims => &[Client, Claims, Tenant, Scopes, Metadata, Request, Path],
            Self::Bind | Self::AllowIf | Self::UpstreamHeader | Self::IdentityHeader => &[
                Request, Path, Source, Client, Claims, Tenant, Scopes, Metadata,
            ],
            Self::IssueReply => &[Token, Client, Scopes, Request],
            Self::LimitAfterClient => &[Request, Path, Source, Client],
            Self::ErrorBody => &[
                Status, Reason, Message, ErrorId, Detail, RetryAfter, Request,
            ],
        })
    }

    /// What an expression must yield here.
    pub const fn expected(self) -> Expected {
        match self {
            Self::LookupAllowIf | Self::AllowIf => Expected::Condition,
            Self::JwtScopes => Expected::Words,
            Self::ExchangeJson | Self::IssueReply | Self::ErrorBody => Expected::Json,
            Self::SignClaims => Expected::Object,
            Self::JwtClient
            | Self::JwtTenant
            | Self::JwtKeysClient
            | Self::RequireTenant
            | Self::LookupUrl
            | Self::ExchangeForm
            | Self::Bind
            | Self::UpstreamHeader
            | Self::IdentityHeader
            | Self::LimitBeforeClient
            | Self::LimitAfterClient => Expected::Text,
        }
    }

    /// The members of a variable whose shape is fixed, with their types; none for a variable
    /// whose members are known only when a request is judged.
    pub(super) const fn members(
        self,
        variable: Variable,
    ) -> Option<&'static [(&'static str, ValueType)]> {
        Some(match variable {
            Request => &[
                ("method", ValueType::String),
                ("host", ValueType::String),
                ("path", ValueType::String),
                ("query", ValueType::Map),
                ("headers", ValueType::Map),
            ],
            Source => &[("address", ValueType::String)],
            // The pair that goes to a token endpoint has its secret; nowhere else can one be read.
            Client => match self {
                Self::ExchangeForm | Self::ExchangeJson => &[
                    ("id", ValueType::String),
                    ("tenant", ValueType::String),
                    ("scopes", ValueType::List),
                    ("metadata", ValueType::Map),
                    ("secret", ValueType::String),
                ],
                _ => &[
                    ("id", ValueType::String),
                    ("tenant", ValueType::String),
                    ("scopes", ValueType::List),
                    ("metadata", ValueType::Map),
                ],
            },
            Token => &[
                ("value", ValueType::String),
                ("type", ValueType::String),
                ("expires_in", ValueType::Int),
                ("claims", ValueType::Map),
            ],
            _ => return None,
        })
    }
}
