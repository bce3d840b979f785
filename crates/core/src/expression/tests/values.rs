use serde_json::json;

use super::super::{EvaluationError, Expression, Place, Scope, Value, ValueType, Variable};
use super::{evaluate, scope};

#[test]
fn expressions_yield_what_cel_says() {
    let table = [
        ("client.id", json!("supplier-7")),
        ("request.host.split('.')[0]", json!("acme")),
        ("request.host.split('.')[0] == client.tenant", json!(true)),
        ("request.headers['x-id']", json!("Ärger")),
        ("request.headers.`x-id`", json!("Ärger")),
        ("client.metadata.plan", json!("gold")),
        ("scopes.join(' ')", json!("orders:read orders:write")),
        ("scopes.join()", json!("orders:readorders:write")),
        ("claims.iat + 3600", json!(1_700_003_600)),
        ("claims.iat == 1700000000.0", json!(true)),
        ("claims.big > claims.iat", json!(true)),
        ("claims.big == claims.big", json!(true)),
        ("claims.nothing == null", json!(true)),
        ("has(claims.sub) && !has(claims.nope)", json!(true)),
        ("has(claims.nothing)", json!(true)),
        ("has(claims.nope) ? claims.nope : 'none'", json!("none")),
        ("claims.nope == 1 || true", json!(true)),
        ("true || claims.nope == 1", json!(true)),
        ("claims.nope == 1 && false", json!(false)),
        ("'orders:read' in scopes", json!(true)),
        ("'sub' in claims", json!(true)),
        ("2.0 in claims.list", json!(true)),
        ("scopes.exists(s, s.startsWith('orders:'))", json!(true)),
        ("scopes.all(s, s.endsWith('read'))", json!(false)),
        ("scopes.exists_one(s, s.endsWith('read'))", json!(true)),
        ("claims.list.map(n, n * 2)", json!([2, 4, 6])),
        ("claims.list.map(n, n > 1, n * 2)", json!([4, 6])),
        ("claims.list.filter(n, n != 2)", json!([1, 3])),
        ("claims.list.filter(n, n > 1).map(n, n + 1)", json!([3, 4])),
        ("{'b': 1, 'a': 2}.map(k, k)", json!(["a", "b"])),
        ("claims.list.exists(claims, claims == 2)", json!(true)),
        ("claims.mixed.exists(x, x > 0)", json!(true)),
        ("'a/b c~ü'.size()", json!(7)),
        ("url_encode('a/b c~ü')", json!("a%2Fb%20c~%C3%BC")),
        ("url_decode('a%2Fb%20c+~%c3%bc')", json!("a/b c+~ü")),
        ("base64.encode('user:pass')", json!("dXNlcjpwYXNz")),
        ("base64.encode(b'\\xff')", json!("/w==")),
        ("string(base64.decode('dXNlcjpwYXNz'))", json!("user:pass")),
        ("string(base64.decode('YQ'))", json!("a")),
        ("'supplier-7'.matches('^[a-z]+-[0-9]+$')", json!(true)),
        ("matches(client.id, 'x')", json!(false)),
        ("' Ä '.trim()", json!("Ä")),
        ("'aÄ'.lowerAscii() + 'aä'.upperAscii()", json!("aÄAä")),
        ("'äöü'.substring(1)", json!("öü")),
        ("'äöü'.substring(1, 2)", json!("ö")),
        ("'äöü'.substring(3)", json!("")),
        ("'äöüö'.indexOf('ö')", json!(1)),
        ("'äöüö'.indexOf('ö', 2)", json!(3)),
        ("'äöüö'.lastIndexOf('ö')", json!(3)),
        ("'äöüö'.lastIndexOf('ö', 2)", json!(1)),
        ("'äöü'.charAt(2)", json!("ü")),
        ("'a,b,c'.split(',', 2)", json!(["a", "b,c"])),
        ("'abc'.split('')", json!(["a", "b", "c"])),
        ("'aaa'.replace('a', 'b', 2)", json!("bba")),
        ("'aa'.replace('', '-')", json!("-a-a-")),
        ("[1, 2] + ['x']", json!([1, 2, "x"])),
        ("{1: 'one'}[1u]", json!("one")),
        ("[10, 20][1]", json!(20)),
        ("int('7') + int(7.9) + int(1u)", json!(15)),
        ("double('0.5') + double(1)", json!(1.5)),
        ("string(1.0) + string(true) + string(-7)", json!("1true-7")),
        ("bool('true')", json!(true)),
        ("uint(7) == 7", json!(true)),
        ("dyn(7) == 'x'", json!(false)),
        ("-7 / 2", json!(-3)),
        ("-7 % 2", json!(-1)),
        ("[1, 2.0] == [1.0, 2]", json!(true)),
        ("{'a': [1]} == {'a': [1u]}", json!(true)),
    ];
    for (source, expected) in table {
        assert_eq!(evaluate(source), Ok(expected), "{source}");
    }
}

#[test]
fn what_fails_is_an_error_and_names_no_value() {
    let no_member = "there is no member `nope`";
    let table = [
        ("claims.nope", no_member),
        ("claims['nope']", no_member),
        ("claims.nope.deeper", no_member),
        ("claims[request.method]", "the map has no such key"),
        ("claims.secret.deeper", "`.` can't be applied to a string"),
        ("claims.secret + 1", "`+` can't be applied to an integer"),
        (
            "claims.secret - claims.secret",
            "`-` can't be applied to a string",
        ),
        ("claims.secret < 1", "`<` can't be applied to an integer"),
        ("int(claims.secret)", "`int` can't read its argument"),
        (
            "claims.secret.indexOf(claims.secret, 99)",
            "the index is out of range",
        ),
        ("!claims.secret", "`!` can't be applied to a string"),
        ("claims.secret && true", "`&&` can't be applied to a string"),
        ("claims.secret ? 1 : 2", "`?:` can't be applied to a string"),
        (
            "claims.secret.map(x, x)",
            "`map` can't be applied to a string",
        ),
        (
            "claims.mixed.join(' ')",
            "`join` can't be applied to an integer",
        ),
        ("claims.iat.trim()", "`trim` can't be applied to an integer"),
        (
            "claims.secret.split(1)",
            "`split` can't be applied to an integer",
        ),
        (
            "claims.mixed.all(x, x > 0)",
            "`>` can't be applied to an integer",
        ),
        (
            "9223372036854775807 + claims.list[0]",
            "a number is out of range",
        ),
        (
            "-9223372036854775808 - claims.list[0]",
            "a number is out of range",
        ),
        ("-(-9223372036854775808)", "a number is out of range"),
        ("-9223372036854775808 / -1", "a number is out of range"),
        ("-9223372036854775808 % -1", "a number is out of range"),
        (
            "9223372036854775807 * claims.list[1]",
            "a number is out of range",
        ),
        ("0u - 1u", "a number is out of range"),
        ("int(1e300)", "a number is out of range"),
        ("uint(-1)", "a number is out of range"),
        ("int(claims.big)", "a number is out of range"),
        ("1 / 0", "division by zero"),
        ("1u % 0u", "division by zero"),
        ("claims.list[3]", "the index is out of range"),
        ("claims.list[-1]", "the index is out of range"),
        ("'abc'.substring(-1)", "the index is out of range"),
        ("'abc'.substring(2, 1)", "the index is out of range"),
        ("'abc'.substring(0, 4)", "the index is out of range"),
        (
            "'abc'.substring(9223372036854775807)",
            "the index is out of range",
        ),
        ("'abc'.charAt(4)", "the index is out of range"),
        ("url_decode('%zz')", "`url_decode` can't read its argument"),
        ("url_decode('%+1')", "`url_decode` can't read its argument"),
        ("url_decode('%')", "`url_decode` can't read its argument"),
        ("url_decode('%ff')", "`url_decode` can't read its argument"),
        (
            "base64.decode('!')",
            "`base64.decode` can't read its argument",
        ),
        ("string(b'\\xff')", "`string` can't read its argument"),
        ("{'a': 1, 'a': 2}", "a key stands twice in a map"),
        ("{null: 1}", "`{}` can't be applied to null"),
        ("b'x'", "the result can't be written as JSON"),
        ("1.0 / 0.0", "the result can't be written as JSON"),
    ];
    for (source, expected) in table {
        assert_eq!(evaluate(source), Err(expected.to_owned()), "{source}");
    }
}

#[test]
fn variables_without_a_value_are_empty() {
    let nothing = Scope::new();
    for (source, place) in [
        (
            "!has(claims.sub) && !has(metadata.x) && !has(client.id)",
            Place::AllowIf,
        ),
        ("tenant == '' && scopes == [] && path == {}", Place::AllowIf),
        ("!(request.method == 'GET') || true", Place::AllowIf),
    ] {
        let expression = Expression::compile(source, place).unwrap();
        assert_eq!(
            expression.evaluate_condition(&nothing),
            Ok(true),
            "{source}"
        );
    }
    let body = "{'s': status, 'm': message, 'd': detail, 'r': retry_after, 'e': error_id}";
    let body = Expression::compile(body, Place::ErrorBody).unwrap();
    assert_eq!(
        body.evaluate_json(&nothing),
        Ok(json!({"s": 0, "m": "", "d": [], "r": 0, "e": ""}))
    );
    let header = Expression::compile("client.id", Place::IdentityHeader).unwrap();
    assert_eq!(
        header.evaluate_text(&nothing),
        Err(EvaluationError::NoMember("id".into()))
    );
}

#[test]
fn texts_are_strings_numbers_and_truth_values() {
    for (source, expected) in [
        ("claims.sub", Some("s-1")),
        ("claims.iat", Some("1700000000")),
        ("claims.big", Some("18446744073709551615")),
        ("claims.ratio", Some("0.5")),
        ("claims.admin", Some("true")),
        ("claims.nothing", None),
        ("claims.list", None),
        ("claims['secret'] == 'hunter2' ? claims : claims.list", None),
    ] {
        let expression = Expression::compile(source, Place::UpstreamHeader).unwrap();
        let text = expression.evaluate_text(&scope()).ok();
        assert_eq!(text.as_deref(), expected, "{source}");
    }
}

#[test]
fn words_are_lists_of_strings_or_parted_by_spaces() {
    for (source, expected) in [
        ("claims.scope", Some(vec!["a", "b", "c"])),
        ("claims.names", Some(vec!["x", "y"])),
        (
            "claims.names.map(n, 'app:' + n)",
            Some(vec!["app:x", "app:y"]),
        ),
        ("''", Some(vec![])),
        ("claims.mixed", None),
        ("claims.iat", None),
        ("claims.nothing", None),
    ] {
        let expression = Expression::compile(source, Place::JwtScopes).unwrap();
        let words = expression.evaluate_text_list(&scope()).ok();
        let words = words
            .as_ref()
            .map(|words| words.iter().map(AsRef::as_ref).collect());
        assert_eq!(words, expected, "{source}");
    }
}

#[test]
fn a_condition_is_true_or_false_and_nothing_like_it() {
    for (source, expected) in [
        ("claims.admin", Ok(true)),
        ("claims.iat", Err(ValueType::Int)),
        ("claims.sub", Err(ValueType::String)),
    ] {
        let expression = Expression::compile(source, Place::AllowIf).unwrap();
        let expected = expected.map_err(|found| EvaluationError::WrongResult {
            expected: "true or false",
            found,
        });
        assert_eq!(
            expression.evaluate_condition(&scope()),
            expected,
            "{source}"
        );
    }
}

#[test]
fn json_survives_the_way_through_a_value() {
    let json = json!({
        "int": -7, "large": u64::MAX, "double": 1.5, "text": "ü", "yes": true, "null": null,
        "list": [1, [2, {}]], "map": {"": {"a": []}},
    });
    let value = Value::from_json(&json);
    assert_eq!(value.to_json(), Ok(json));
    assert!(matches!(Value::from_json(&json!(7)), Value::Int(7)));
    assert!(matches!(
        Value::from_json(&json!(u64::MAX)),
        Value::Uint(u64::MAX)
    ));
}

#[test]
fn debug_shows_no_value() {
    let mut scope = Scope::new();
    scope.set(Variable::Tenant, "hunter2".into());
    assert!(!format!("{scope:?}").contains("hunter2"));
}
