//! A vector: one input with one fault or none, and the stage that must notice it.

use serde_json::{Value, json};

use super::cbor::Cbor;

/// One vector, as it stands in a file.
pub struct Case {
    /// What is so, in words joined by hyphens; unique in its file.
    pub name: String,
    /// The rule that the fault breaks, or that a good one keeps.
    pub rule: &'static str,
    /// How the input is to be read.
    pub kind: &'static str,
    /// Where the fault must be noticed; `none` in a good one.
    pub stage: &'static str,
    /// Fields by kind.
    pub input: Value,
    /// What must come out, if anything does.
    pub output: Option<Value>,
}

impl Case {
    /// A vector without a fault.
    pub fn good(kind: &'static str, rule: &'static str, name: &str, input: Value) -> Self {
        Self { name: name.to_owned(), rule, kind, stage: "none", input, output: None }
    }

    /// A vector with a fault that this stage must notice.
    pub fn bad(kind: &'static str, rule: &'static str, stage: &'static str, name: &str, input: Value) -> Self {
        Self { name: name.to_owned(), rule, kind, stage, input, output: None }
    }

    /// With what must come out.
    pub fn gives(mut self, output: Value) -> Self {
        self.output = Some(output);
        self
    }

    /// One case in a file: the small fields in one line, then input and output.
    pub fn text(&self) -> String {
        let head = [("name", self.name.as_str()), ("rule", self.rule), ("kind", self.kind), ("stage", self.stage)];
        let head: Vec<String> = head.iter().map(|(field, text)| format!("\"{field}\": {}", json!(text))).collect();
        let output = self.output.as_ref().map(|output| format!(",\n  \"output\": {output}")).unwrap_or_default();
        format!("{{{},\n  \"input\": {}{output}}}", head.join(", "), self.input)
    }
}

/// A fault: what puts it into a good thing. Its name is the function's.
pub struct Fault<F> {
    /// What is wrong, in words joined by hyphens.
    pub name: String,
    /// The rule that is broken.
    pub rule: &'static str,
    /// The stage that notices.
    pub stage: &'static str,
    /// Puts the fault in.
    pub put: F,
}

/// Faults by rule, stage and function: `faults![fn(&mut Cbor); "C-30" "payload" no_purpose, …]`.
#[macro_export]
macro_rules! faults {
    ($put_type:ty; $($rule:literal $stage:literal $put:ident),* $(,)?) => {
        vec![$($crate::vectors::case::Fault {
            name: stringify!($put).replace('_', "-"),
            rule: $rule,
            stage: $stage,
            put: $put as $put_type,
        }),*]
    };
}

/// Lower-case hex.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A list of hex texts.
pub fn hexes<B: AsRef<[u8]>>(all: impl IntoIterator<Item = B>) -> Value {
    all.into_iter().map(hex).collect::<Vec<_>>().into()
}

/// The hex of an item's bytes.
pub fn hex_of(item: &Cbor) -> String {
    hex(item.encode())
}
