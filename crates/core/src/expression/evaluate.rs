//! Evaluating: walks a compiled expression and counts every step.

use super::error::EvaluationError;
use super::node::{Body, Node};
use super::scope::Scope;
use super::value::{Key, Map, Value};
use super::{MAX_ITEMS, MAX_STEPS, functions};

type Result<T> = std::result::Result<T, EvaluationError>;

/// The steps that are left.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn spend(&mut self, steps: usize) -> Result<()> {
        self.0 = self
            .0
            .checked_sub(steps)
            .ok_or(EvaluationError::TooManySteps)?;
        Ok(())
    }

    /// Pays for looking at, or copying, that many bytes.
    pub(super) fn spend_bytes(&mut self, bytes: usize) -> Result<()> {
        /// What is read in about the time of one operation.
        const BYTES_A_STEP: usize = 32;
        self.spend(bytes / BYTES_A_STEP)
    }
}

/// One evaluation of one expression.
pub(super) struct Evaluation<'a> {
    scope: &'a Scope,
    item: Value,
    budget: Budget,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(scope: &'a Scope) -> Self {
        Self {
            scope,
            item: Value::Null,
            budget: Budget(MAX_STEPS),
        }
    }

    pub(super) fn run(mut self, root: &Node) -> Result<Value> {
        self.node(root)
    }

    #[cfg(test)]
    pub(super) fn steps(scope: &'a Scope, root: &Node) -> (Result<Value>, usize) {
        let mut evaluation = Self::new(scope);
        let result = evaluation.node(root);
        (result, MAX_STEPS - evaluation.budget.0)
    }

    /// Recursion is as deep as the expression, which compiling has bounded.
    fn node(&mut self, node: &Node) -> Result<Value> {
        self.budget.spend(1)?;
        match node {
            Node::Literal(value) => Ok(value.clone()),
            Node::Variable(variable) => Ok(self.scope.get(*variable).clone()),
            Node::Item => Ok(self.item.clone()),
            Node::Select { operand, field, .. } => {
                let map = self.map(operand, ".")?;
                map.get(field)
                    .cloned()
                    .ok_or_else(|| EvaluationError::NoMember(field.clone()))
            }
            Node::Has { operand, field } => {
                Ok(Value::Bool(self.map(operand, "has")?.get(field).is_some()))
            }
            Node::List(items) => {
                let items = items.iter().map(|item| self.node(item));
                Ok(Value::List(items.collect::<Result<_>>()?))
            }
            Node::Map(entries) => self.literal_map(entries),
            Node::And(parts) => self.logical(parts, "&&", false),
            Node::Or(parts) => self.logical(parts, "||", true),
            Node::Conditional(parts) => {
                let [condition, yes, no] = parts.as_ref();
                let chosen = if self.condition(condition, "?:")? {
                    yes
                } else {
                    no
                };
                self.node(chosen)
            }
            Node::Call {
                function,
                arguments,
            } => match arguments.as_slice() {
                [one] => functions::unary(function, self.node(one)?, &mut self.budget),
                [first, rest @ ..] => {
                    let mut values = [Value::Null, Value::Null, Value::Null, Value::Null];
                    let nodes = std::iter::once(first).chain(rest);
                    for (slot, node) in values.iter_mut().zip(nodes) {
                        *slot = self.node(node)?;
                    }
                    functions::call(function, &values, arguments.len(), &mut self.budget)
                }
                [] => Err(EvaluationError::Unreadable(function.title)),
            },
            Node::Matches { text, pattern } => match self.node(text)? {
                Value::String(text) => Ok(Value::Bool(pattern.is_in(&text, &mut self.budget)?)),
                other => Err(no_overload("matches", &other)),
            },
            Node::Comprehension { range, body } => self.comprehension(range, body),
        }
    }

    fn map(&mut self, operand: &Node, function: &'static str) -> Result<Map> {
        match self.node(operand)? {
            Value::Map(map) => Ok(map),
            other => Err(no_overload(function, &other)),
        }
    }

    fn condition(&mut self, node: &Node, function: &'static str) -> Result<bool> {
        match self.node(node)? {
            Value::Bool(value) => Ok(value),
            other => Err(no_overload(function, &other)),
        }
    }

    fn literal_map(&mut self, entries: &[(Node, Node)]) -> Result<Value> {
        let mut built = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let key = self.node(key)?;
            let key = Key::from_value(&key).ok_or_else(|| no_overload("{}", &key))?;
            built.push((key, self.node(value)?));
        }
        Map::from_entries(built)
            .map(Value::Map)
            .ok_or(EvaluationError::DuplicateKey)
    }

    /// `&&` and `||`: one part that decides outweighs the others' errors, on whichever side it
    /// stands, as CEL demands.
    fn logical(&mut self, parts: &[Node], function: &'static str, deciding: bool) -> Result<Value> {
        let mut failed = None;
        for part in parts {
            match self.condition(part, function) {
                Ok(value) if value == deciding => return Ok(Value::Bool(deciding)),
                Ok(_) => {}
                Err(EvaluationError::TooManySteps) => return Err(EvaluationError::TooManySteps),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(Value::Bool(!deciding)), Err)
    }

    fn comprehension(&mut self, range: &Node, body: &Body) -> Result<Value> {
        let items = match self.node(range)? {
            Value::List(items) if items.len() <= MAX_ITEMS => items,
            Value::Map(map) if map.len() <= MAX_ITEMS => map
                .entries()
                .iter()
                .map(|(key, _)| key.to_value())
                .collect(),
            Value::List(_) | Value::Map(_) => return Err(EvaluationError::TooManyItems),
            other => return Err(no_overload(body.name(), &other)),
        };
        match body {
            Body::All(test) => self.quantified(&items, test, "all", false),
            Body::Exists(test) => self.quantified(&items, test, "exists", true),
            Body::ExistsOne(test) => {
                let mut found = 0_usize;
                for item in items.iter() {
                    self.item = item.clone();
                    found += usize::from(self.condition(test, "exists_one")?);
                }
                Ok(Value::Bool(found == 1))
            }
            Body::Map { filter, transform } => {
                let mut mapped = Vec::new();
                for item in items.iter() {
                    self.item = item.clone();
                    let wanted = match filter {
                        Some(test) => self.condition(test, body.name())?,
                        None => true,
                    };
                    if wanted {
                        mapped.push(self.node(transform)?);
                    }
                }
                Ok(mapped.into())
            }
        }
    }

    fn quantified(
        &mut self,
        items: &[Value],
        test: &Node,
        function: &'static str,
        deciding: bool,
    ) -> Result<Value> {
        let mut failed = None;
        for item in items {
            self.item = item.clone();
            match self.condition(test, function) {
                Ok(value) if value == deciding => return Ok(Value::Bool(deciding)),
                Ok(_) => {}
                Err(EvaluationError::TooManySteps) => return Err(EvaluationError::TooManySteps),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(Value::Bool(!deciding)), Err)
    }
}

impl Body {
    const fn name(&self) -> &'static str {
        match self {
            Self::All(_) => "all",
            Self::Exists(_) => "exists",
            Self::ExistsOne(_) => "exists_one",
            Self::Map { filter: None, .. } => "map",
            Self::Map {
                filter: Some(_), ..
            } => "filter",
        }
    }
}

pub(super) fn no_overload(function: &'static str, found: &Value) -> EvaluationError {
    EvaluationError::NoOverload {
        function,
        found: found.value_type(),
    }
}
