use super::super::{Expression, MAX_DEPTH, MAX_SOURCE, Place};
use super::refusal;

#[test]
fn a_mistake_is_told_with_its_mend() {
    for (source, expected) in [
        (
            "clinet.id == 'x'",
            "there is no variable `clinet` here; did you mean `client`?",
        ),
        (
            "foo == 'x'",
            "there is no variable `foo` here; known are request, path, source, client, claims, tenant, scopes, metadata; for the text itself write `'foo'`",
        ),
        (
            "scopes.all(scope, scop == 'x')",
            "there is no variable `scop` here; did you mean `scope`?",
        ),
        (
            "request.hots == 'x'",
            "`request` has no member `hots`; did you mean `host`?",
        ),
        (
            "request['hots'] == 'x'",
            "`request` has no member `hots`; did you mean `host`?",
        ),
        (
            "has(request.hots)",
            "`request` has no member `hots`; did you mean `host`?",
        ),
        (
            "source.port == 1",
            "`source` has no member `port`; known are address",
        ),
        (
            "client.name == 'x'",
            "`client` has no member `name`; known are id, tenant, scopes, metadata",
        ),
        (
            "request.host.port == 1",
            "`.port` reads a member of a map, but this is a string",
        ),
        (
            "tenant.id == 1",
            "`.id` reads a member of a map, but this is a string",
        ),
        (
            "tenant.lowerCase() == 'x'",
            "there is no function `lowerCase` here; did you mean `lowerAscii`?",
        ),
        (
            "tenant.lowerASCII() == 'x'",
            "there is no function `lowerASCII` here; did you mean `lowerAscii`?",
        ),
        (
            "base64.encod('x') == 'x'",
            "there is no function `base64.encod` here; did you mean `base64.encode`?",
        ),
        (
            "timestamp('x') == 1",
            "there is no function `timestamp` here",
        ),
        (
            "contains(tenant, 'x')",
            "`contains` is called on a value: `value.contains(…)`",
        ),
        (
            "tenant.url_encode() == 'x'",
            "`url_encode` is called as a function: `url_encode(value)`",
        ),
        (
            "tenant.split() == []",
            "`split` takes 1 or 2 arguments, here it has 0",
        ),
        (
            "url_encode() == ''",
            "`url_encode` takes 1 argument, here it has 0",
        ),
        (
            "tenant.trim('x') == ''",
            "`trim` takes no argument, here it has 1",
        ),
        (
            "scopes.all(s)",
            "`all` is used in another way: `list.all(item, condition)`",
        ),
        (
            "has(claims.a, claims.b)",
            "`has` is used in another way: `has(claims.sub)`",
        ),
        (
            "scopes.all(s, scopes.exists(t, s == t))",
            "comprehensions (all, exists, exists_one, map, filter) can't be nested: each may go over 256 items, two would be 65,536; use one of them, or `in`",
        ),
        (
            "tenant.matches(claims.pattern)",
            "the pattern of `matches` must be a literal string, since it is compiled when the policy loads",
        ),
        (
            "tenant.matches('a' + 'b')",
            "the pattern of `matches` must be a literal string, since it is compiled when the policy loads",
        ),
        (
            "tenant.matches()",
            "`matches` takes one pattern: `text.matches('^[a-z]+$')`",
        ),
        (
            "Foo{a: 1} == 1",
            "there is no message type `Foo`: write a map, `{\"name\": value}`",
        ),
        (
            "",
            "the expression is empty: write a CEL expression, or leave the key out",
        ),
        (
            " \n",
            "the expression is empty: write a CEL expression, or leave the key out",
        ),
    ] {
        assert_eq!(refusal(source, Place::AllowIf), expected, "{source}");
    }
}

#[test]
fn a_slip_of_syntax_is_told_with_its_position() {
    for (source, position) in [
        ("client.id ==", None),
        ("client.id = 'x'", Some(11)),
        ("(true", None),
        ("true)", Some(5)),
        ("'open", Some(1)),
        ("a.?b", None),
        ("9223372036854775808 == 1", None),
        ("if == 1", Some(1)),
        ("${NAME}", Some(1)),
    ] {
        let error = Expression::compile(source, Place::AllowIf).unwrap_err();
        assert!(
            error.message().starts_with("this is no CEL expression"),
            "{source}: {error}"
        );
        if let Some(column) = position {
            assert_eq!(error.position(), Some((1, column)), "{source}: {error}");
        }
    }
}

#[test]
fn the_usual_slips_of_syntax_are_told_with_their_mend() {
    for (source, expected) in [
        (
            "tenant = 'x'",
            "equality is written `==` (at column 8 of the expression)",
        ),
        (
            "true and false",
            "`and` is written `&&` (at column 6 of the expression)",
        ),
        (
            "true or false",
            "`or` is written `||` (at column 6 of the expression)",
        ),
        (
            "tenant == 'x' 'y'",
            "`'y'` can't follow here (at column 15 of the expression)",
        ),
        (
            "tenant ==\n path.a ==",
            "it ends too early (at line 2, column 11 of the expression)",
        ),
        (
            "has(claims['a'])",
            "`has` asks for a member: `has(claims.sub)`, or `'x-y' in claims` (at column 11 of the expression)",
        ),
        (
            "tenant == ${TENANT}",
            "`${NAME}` is replaced in literal strings only, never in an expression (at column 11 of the expression)",
        ),
    ] {
        let expected = format!("this is no CEL expression: {expected}");
        assert_eq!(refusal(source, Place::AllowIf), expected, "{source}");
    }
}

#[test]
fn a_pattern_that_cannot_be_used_is_refused() {
    for pattern in [
        "(",
        "(?<a",
        "a{999999}",
        "(?=a)",
        "(a{1000}){1000}",
        "\\\\1",
    ] {
        let message = refusal(&format!("tenant.matches('{pattern}')"), Place::AllowIf);
        let shown = pattern.replace("\\\\", "\\");
        let expected = format!("`matches` can't use the pattern `{shown}`: ");
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn length_and_depth_are_bounded() {
    let long = format!("tenant == '{}'", "x".repeat(MAX_SOURCE));
    let too_long = format!(
        "an expression may have at most {MAX_SOURCE} bytes, this one has {}",
        long.len()
    );
    assert_eq!(refusal(&long, Place::AllowIf), too_long);

    let too_deep =
        format!("the expression is nested deeper than {MAX_DEPTH} levels: make it shorter");
    let repeated = |part: &str, end: &str| part.repeat((MAX_SOURCE - end.len()) / part.len()) + end;
    for source in [
        "claims".to_owned() + &".a".repeat((MAX_SOURCE - 6) / 2),
        repeated("1+", "1"),
        repeated("!-", "true"),
        "claims".to_owned() + &"[1]".repeat((MAX_SOURCE - 6) / 3),
        "tenant".to_owned() + &".trim()".repeat((MAX_SOURCE - 6) / 7),
    ] {
        assert_eq!(refusal(&source, Place::AllowIf), too_deep);
    }
    for part in ["(", "[", "{1:", "-(", "size(", "true?", "a.b(", "{{", "[["] {
        let source = repeated(part, "");
        assert!(
            Expression::compile(&source, Place::AllowIf).is_err(),
            "{part}"
        );
    }
    // `&&` and `||` are balanced by the parser: a list of conditions may be long.
    let many = repeated("true&&", "true");
    assert!(Expression::compile(&many, Place::AllowIf).is_ok());
}

/// Cuts and joins pieces of expressions: whatever comes out, compiling ends without a panic.
#[test]
fn no_source_makes_compiling_panic() {
    const PIECES: [&str; 40] = [
        "client",
        ".",
        "id",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
        ",",
        "?",
        "'",
        "\"",
        "\"\"\"",
        "r'",
        "b'",
        "\\",
        "\\u",
        "\\x",
        "0x",
        "1e",
        "-",
        "!",
        "&&",
        "||",
        "in",
        "has(",
        ".map(",
        ".all(x,",
        "matches",
        "é",
        "\u{0}",
        "`",
        "1u",
        "99999999999999999999",
        "//",
        "\n",
        "=",
        "==",
    ];
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..20_000 {
        let mut source = String::new();
        for _ in 0..12 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            source.push_str(PIECES[(seed >> 33) as usize % PIECES.len()]);
        }
        let _ = Expression::compile(&source, Place::AllowIf);
    }
}
