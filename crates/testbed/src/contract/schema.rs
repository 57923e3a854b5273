//! The document's schemas, compiled as they are needed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::Value;

use super::{Breach, FILE};

/// So many faults of one body are told.
const TOLD: usize = 5;

/// Compiled schemas by their place in the document.
#[derive(Debug)]
pub(super) struct Schemas {
    closed: Value,
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Schemas {
    pub(super) fn new(document: &Value) -> Self {
        let mut closed = document.clone();
        close(&mut closed);
        Self { closed, compiled: Mutex::default() }
    }

    /// Whether `value` fits the schema at `pointer`.
    pub(super) fn fit(&self, pointer: &str, value: &Value, what: &str) -> Result<(), Breach> {
        let schema = self.at(pointer);
        let mut faults = String::new();
        for error in schema.iter_errors(value).take(TOLD) {
            let place = match error.instance_path().as_str() {
                "" => "as a whole",
                place => place,
            };
            write!(faults, "\n    {place}: {error}").expect("a string takes everything");
        }
        if faults.is_empty() {
            return Ok(());
        }
        let what = format!("{what} does not fit {FILE}#{}:{faults}", self.named(pointer));
        Err(Breach::new(what, remedy(value)))
    }

    fn at(&self, pointer: &str) -> Arc<Validator> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let schema = compiled.entry(pointer.to_owned()).or_insert_with(|| {
            // A schema whose neighbours are the whole document, so that its references resolve.
            let mut schema = self.closed.clone();
            let fragment = pointer.replace('{', "%7B").replace('}', "%7D").replace(' ', "%20");
            schema["$ref"] = format!("#{fragment}").into();
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            let built = options.build(&schema);
            Arc::new(built.unwrap_or_else(|error| panic!("{FILE}#{pointer}: {error}")))
        });
        Arc::clone(schema)
    }

    /// The place that a person would edit: behind the reference that stands at `pointer`.
    fn named<'a>(&'a self, pointer: &'a str) -> &'a str {
        let target = self.closed.pointer(pointer).and_then(|schema| schema["$ref"].as_str());
        target.map_or(pointer, |target| target.trim_start_matches('#'))
    }
}

/// What to do about a body that does not fit.
fn remedy(value: &Value) -> String {
    match (value["type"].as_str(), value["status"].as_u64(), value["exit"].as_u64()) {
        (Some(code), Some(status), Some(exit)) => format!(
            "each fault stands once among those of its status: for a new one add to the `oneOf` of \
             the schema whose `status` is {status}: {{ \"description\": \"…\", \"properties\": {{ \
             \"type\": {{ \"const\": {code:?} }}, \"exit\": {{ \"const\": {exit} }} }} }}"
        ),
        _ => {
            "describe what is sent (an optional field is left out of `required`), or send what is \
              described"
                .to_owned()
        }
    }
}

/// Objects whose fields are described take no others.
fn close(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.values_mut().for_each(close);
            let described = object.get("type").is_some_and(|kind| kind == "object");
            if described && object.contains_key("properties") {
                object.entry("additionalProperties").or_insert(Value::Bool(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
