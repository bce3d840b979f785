use serde_json::json;

use super::super::evaluate::Evaluation;
use super::super::{
    EvaluationError, Expression, MAX_ITEMS, MAX_STEPS, MAX_TEXT, Scope, Value, Variable,
};
use super::{FREE, evaluate};

fn long(items: usize) -> Scope {
    let mut scope = Scope::new();
    let claims = json!({
        "list": (0..items).collect::<Vec<_>>(),
        "text": "x".repeat(8000),
        "words": vec!["y".repeat(200); items],
    });
    scope.set(Variable::Claims, Value::from_json(&claims));
    scope
}

fn steps(source: &str, scope: &Scope) -> (Result<Value, EvaluationError>, usize) {
    let wrapped = format!("{{'it': {source}}}");
    let expression = Expression::compile(&wrapped, FREE).unwrap();
    Evaluation::steps(scope, &expression.root)
}

#[test]
fn comprehensions_go_over_256_items_at_most() {
    for source in [
        "claims.list.all(x, x >= 0)",
        "claims.list.exists(x, x < 0)",
        "claims.list.exists_one(x, x == 0)",
        "claims.list.map(x, x)",
        "claims.list.filter(x, x > 0)",
        "claims.words.map(x, x.size())",
    ] {
        assert!(steps(source, &long(MAX_ITEMS)).0.is_ok(), "{source}");
        let beyond = steps(source, &long(MAX_ITEMS + 1));
        assert_eq!(
            beyond.0.unwrap_err(),
            EvaluationError::TooManyItems,
            "{source}"
        );
        assert!(beyond.1 < 10, "{source}: {}", beyond.1);
    }
    let map = json!(
        (0..=MAX_ITEMS)
            .map(|at| (at.to_string(), json!(at)))
            .collect::<serde_json::Map<_, _>>()
    );
    let mut scope = Scope::new();
    scope.set(Variable::Claims, Value::from_json(&map));
    let beyond = steps("claims.map(x, x)", &scope);
    assert_eq!(beyond.0.unwrap_err(), EvaluationError::TooManyItems);
}

#[test]
fn hostile_expressions_end_within_the_steps() {
    let doubling = ".map(x, [x,x,x,x,x,x,x,x])".repeat(40);
    let text = "'0123456789abcdef'";
    let growing = format!("[{text}]{}", ".map(x, x+x+x+x+x+x+x+x)".repeat(40));
    let sum = |part: &str, times: usize| vec![part; times].join("+");
    let table = [
        format!("[[1]]{doubling}"),
        format!("[[1]]{doubling} == [[1]]{doubling}"),
        growing,
        format!("claims.list.map(x, {})", sum("claims.text", 8)),
        format!("claims.list.map(x, ({}).size())", sum("claims.text", 80)),
        format!(
            "claims.list.all(x, {})",
            vec!["claims.words == claims.words"; 30].join("&&")
        ),
        format!(
            "claims.list.all(x, {})",
            vec!["claims.text.contains('xxxxy') == false"; 30].join("&&")
        ),
        format!(
            "claims.list.all(x, {})",
            vec!["!('q' in claims.words)"; 30].join("&&")
        ),
        "claims.list.map(x, claims.text.split(''))".to_owned(),
        "claims.list.map(x, claims.text.replace('x', 'yyyyyyyy'))".to_owned(),
        "claims.list.map(x, claims.text.replace('', claims.text))".to_owned(),
        "claims.list.map(x, claims.words.join(claims.text))".to_owned(),
        "claims.list.map(x, claims.text.matches('(x|xx|xxx|x*)*y'))".to_owned(),
        "claims.list.map(x, claims.text.matches('(x{1,20}){1,20}y'))".to_owned(),
        "claims.list.map(x, url_encode(claims.text.replace('x', '/')))".to_owned(),
        "claims.list.map(x, base64.encode(claims.text) + string(bytes(claims.text)))".to_owned(),
        "claims.list.map(x, claims.list + claims.list + claims.list)".to_owned(),
    ];
    for source in table {
        let (result, steps) = steps(&source, &long(MAX_ITEMS));
        // What ended well must also not unfold when it is written.
        let written = result.and_then(|value| value.to_json());
        assert!(steps <= MAX_STEPS, "{source}");
        assert!(
            matches!(
                written,
                Ok(_) | Err(EvaluationError::TooManySteps | EvaluationError::TooLong)
            ),
            "{source}: {written:?}"
        );
    }
}

#[test]
fn shared_parts_do_not_unfold() {
    let source = format!("[[1]]{}", ".map(x, [x,x,x,x,x,x,x,x])".repeat(30));
    let (built, steps_taken) = steps(&source, &Scope::new());
    assert!(steps_taken < 1000);
    assert_eq!(built.unwrap().to_json(), Err(EvaluationError::TooLong));
    let (compared, _) = steps(&format!("{source} == {source}"), &Scope::new());
    assert_eq!(compared.unwrap_err(), EvaluationError::TooManySteps);
    let (hidden, _) = steps(&format!("{source} == {source} || true"), &Scope::new());
    assert_eq!(hidden.unwrap_err(), EvaluationError::TooManySteps);
}

#[test]
fn texts_have_a_longest() {
    let mut scope = Scope::new();
    let claims = json!({"half": "x".repeat(MAX_TEXT / 2), "more": "x".repeat(MAX_TEXT / 2 + 1)});
    scope.set(Variable::Claims, Value::from_json(&claims));
    for (source, fits) in [
        ("claims.half + claims.half", true),
        ("claims.half + claims.more", false),
        ("bytes(claims.half) + bytes(claims.more)", false),
        ("[claims.half, claims.half].join()", true),
        ("[claims.half, claims.more].join()", false),
        ("claims.half.replace('x', 'yy')", true),
        ("claims.more.replace('x', 'yy')", false),
        ("claims.more.replace('xy', 'yy')", true),
        ("url_encode(claims.half.replace('x', '/'))", false),
        ("base64.encode(claims.half + claims.half)", false),
    ] {
        let (result, _) = steps(source, &scope);
        assert_eq!(result.is_ok(), fits, "{source}");
        if let Err(error) = result {
            assert_eq!(error, EvaluationError::TooLong, "{source}");
        }
    }
}

#[test]
fn an_ordinary_expression_takes_few_steps() {
    for (source, most) in [
        ("client.id", 5),
        ("claims.list.exists(x, x == 7)", 60),
        ("{'code': 1, 'message': 'x' + 'y'}", 20),
    ] {
        let (_, taken) = steps(source, &long(20));
        assert!(taken <= most, "{source}: {taken}");
    }
    assert!(evaluate("client.scopes.join(' ')").is_ok());
}
