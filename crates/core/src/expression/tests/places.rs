use super::super::{Expected, Expression, Place, RequestPart, Variable};
use super::refusal;

/// An expression that only uses the variable and that fits what the place expects.
fn using(variable: Variable, place: Place) -> String {
    let name = variable.name();
    match place.expected() {
        Expected::Condition => format!("dyn({name}) == dyn({name})"),
        Expected::Text => format!("string(dyn({name}))"),
        Expected::Words => format!("[dyn({name})]"),
        Expected::Object | Expected::Json => format!("{{'it': {name}}}"),
    }
}

#[test]
fn every_place_has_its_variables_and_refuses_the_others() {
    for place in Place::ALL {
        let here: Vec<_> = place.variables().iter().map(Variable::name).collect();
        for variable in Variable::ALL {
            let source = using(variable, place);
            let compiled = Expression::compile(&source, place);
            if place.variables().contains(variable) {
                let compiled = compiled.unwrap_or_else(|error| panic!("{place:?}: {error}"));
                assert!(compiled.uses(variable));
                assert!(compiled.variables().iter().eq([variable]));
            } else {
                assert_eq!(
                    compiled.map(|_| ()).unwrap_err().to_string(),
                    format!(
                        "`{}` is not available in `{}`; here you can use {}",
                        variable.name(),
                        place.name(),
                        here.join(", ")
                    )
                );
            }
        }
    }
}

#[test]
fn the_table_of_the_policy_reference_holds() {
    let common = "request path source";
    for (place, expected) in [
        (Place::JwtClient, "request path source claims"),
        (Place::JwtScopes, "request path source claims"),
        (Place::JwtTenant, "request path source claims"),
        (Place::JwtKeysClient, "request path source claims"),
        (Place::RequireTenant, common),
        (Place::LookupUrl, "request path source client claims"),
        (
            Place::LookupAllowIf,
            "request path source client claims metadata",
        ),
        (Place::ExchangeForm, "request path client assertion"),
        (Place::ExchangeJson, "request path client assertion"),
        (
            Place::SignClaims,
            "request path client claims tenant scopes metadata",
        ),
        (
            Place::Bind,
            "request path source client claims tenant scopes metadata",
        ),
        (
            Place::AllowIf,
            "request path source client claims tenant scopes metadata",
        ),
        (
            Place::UpstreamHeader,
            "request path source client claims tenant scopes metadata",
        ),
        (
            Place::IdentityHeader,
            "request path source client claims tenant scopes metadata",
        ),
        (Place::IssueReply, "request client scopes token"),
        (Place::LimitBeforeClient, common),
        (Place::LimitAfterClient, "request path source client"),
        (
            Place::ErrorBody,
            "request status reason message error_id detail retry_after",
        ),
    ] {
        let names: Vec<_> = place.variables().iter().map(Variable::name).collect();
        assert_eq!(names.join(" "), expected, "{place:?}");
    }
}

#[test]
fn only_an_exchange_can_read_the_secret() {
    for place in Place::ALL {
        let exchange = matches!(place, Place::ExchangeForm | Place::ExchangeJson);
        for source in ["client.secret", "client['secret']"] {
            let compiled = Expression::compile(source, place);
            assert_eq!(compiled.is_ok(), exchange, "{place:?}: {source}");
        }
    }
}

#[test]
fn a_result_that_the_place_cannot_use_is_refused_at_load() {
    for (place, source, expected) in [
        (
            Place::AllowIf,
            "request.host",
            "`allow_if` must be true or false, this expression is a string",
        ),
        (
            Place::AllowIf,
            "'true'",
            "`allow_if` must be true or false, this expression is a string",
        ),
        (
            Place::LookupAllowIf,
            "client.scopes",
            "`lookup.allow_if` must be true or false, this expression is a list",
        ),
        (
            Place::UpstreamHeader,
            "scopes",
            "`upstream.headers` must be a string, this expression is a list",
        ),
        (
            Place::UpstreamHeader,
            "null",
            "`upstream.headers` must be a string, this expression is null",
        ),
        (
            Place::Bind,
            "true ? claims : metadata",
            "`bind` must be a string, this expression is a map",
        ),
        (
            Place::JwtScopes,
            "{'a': 1}",
            "`jwt.scopes` must be a string or a list of strings, this expression is a map",
        ),
        (
            Place::SignClaims,
            "'x'",
            "`sign.claims` must be a map, this expression is a string",
        ),
        (
            Place::ErrorBody,
            "b'x'",
            "`errors.body` must be something that JSON can say, this expression is bytes",
        ),
    ] {
        assert_eq!(refusal(source, place), expected);
    }
}

#[test]
fn the_parts_of_a_request_that_may_be_read_are_told() {
    use RequestPart::{Headers, Host, Method, Path, Query};
    for (source, parts) in [
        (
            "request.method == 'GET' && request.path == '/'",
            &[Method, Path][..],
        ),
        ("request.host == 'a'", &[Host]),
        ("has(request.path)", &[Path]),
        ("request.headers['x'] == 'y'", &[Headers]),
        ("has(request.headers.x)", &[Headers]),
        (
            "has(request.query.x) && request.method == 'GET'",
            &[Method, Query],
        ),
        ("request.query.x == request.headers.x", &[Query, Headers]),
        ("request['headers']['x'] == 'y'", &RequestPart::ALL),
        ("request == {}", &RequestPart::ALL),
        (
            "request.method == 'GET' && 'headers' in request",
            &RequestPart::ALL,
        ),
        ("[request].all(i, i.path == '/')", &RequestPart::ALL),
        ("[1].all(i, request.headers['x'] == 'y')", &[Headers]),
        ("[1].all(request, request == 1)", &[]),
        ("claims.headers == 'x'", &[]),
    ] {
        let expression = Expression::compile(source, Place::AllowIf).unwrap();
        let uses = expression.variables();
        for part in RequestPart::ALL {
            assert_eq!(uses.reads(part), parts.contains(&part), "{source} {part:?}");
        }
        let reads_any = uses.contains(Variable::Request);
        assert_eq!(reads_any, !parts.is_empty(), "{source}");
    }
}

#[test]
fn the_members_that_an_expression_names_are_told() {
    let expression = Expression::compile(
        "path.a + path['b'] + request.headers['x'] + path[request.method] == claims.a.b",
        Place::AllowIf,
    )
    .unwrap();
    let members = |variable| expression.members_of(variable).collect::<Vec<_>>();
    assert_eq!(members(Variable::Path), ["a", "b"]);
    assert_eq!(members(Variable::Request), ["headers", "method"]);
    assert_eq!(members(Variable::Claims), ["a"]);
    assert!(members(Variable::Tenant).is_empty());
}
