//! Bodies, which documents write as YAML and clients get as JSON.

use gateway_yaml::Node;

/// A node as JSON text.
pub(super) fn json(node: &Node) -> String {
    fn value(node: &Node) -> serde_json::Value {
        use gateway_yaml::Value;
        match &node.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => (*flag).into(),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => number.into(),
                (None, Some(number)) => number.into(),
                (None, None) => number.as_f64().into(),
            },
            Value::String(text) => (&**text).into(),
            Value::Sequence(items) => items.iter().map(value).collect(),
            Value::Mapping(entries) => {
                entries.iter().map(|entry| (entry.key.name.to_string(), value(&entry.value))).collect()
            }
        }
    }
    value(node).to_string()
}
