//! A graph under construction: nodes in their order, each named after what it does.

use crate::proto::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, Length, NodeProto, TensorProto,
    TensorShapeProto, TensorType, TypeProto, ValueInfoProto,
};

/// The first axis of inputs and outputs: as many as the caller has.
const BATCH: &str = "batch";

/// A graph under construction.
#[derive(Default)]
pub(crate) struct Graph(GraphProto);

impl Graph {
    /// Adds an input `(batch, …)` and returns its name.
    pub(crate) fn input(
        &mut self,
        name: &str,
        kind: DataType,
        axes: &[usize],
        what: &str,
    ) -> String {
        self.0
            .input
            .push(described(name, kind, Some(BATCH), axes, what));
        name.to_string()
    }

    /// Adds a constant and returns its name; `values` fill `axes` row by row.
    pub(crate) fn constant(&mut self, name: &str, axes: &[usize], values: &[f32]) -> String {
        let name = format!("{name}_{}", self.0.initializer.len());
        self.0.initializer.push(TensorProto {
            dims: axes.iter().map(|&length| length as i64).collect(),
            data_type: DataType::Float.into(),
            name: name.clone(),
            raw_data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        });
        name
    }

    /// A constant that is one number, to be combined with tensors of any shape.
    pub(crate) fn number(&mut self, name: &str, value: f32) -> String {
        self.constant(name, &[], &[value])
    }

    /// Adds a node and returns the name of what it gives.
    pub(crate) fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> String {
        let name = format!("{}_{}", operator.to_lowercase(), self.0.node.len());
        self.0.node.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_string()).collect(),
            output: vec![name.clone()],
            // not the name of its output: there are readers that take both for one
            name: format!("/{name}"),
            op_type: operator.to_string(),
            attribute: attributes,
        });
        name
    }

    /// The whole graph, whose one output `(batch, …)` is what `last` gives, called `name`.
    pub(crate) fn finish(
        mut self,
        title: &str,
        last: &str,
        (name, axes, what): (&str, &[usize], &str),
    ) -> GraphProto {
        self.node("Identity", &[last], Vec::new());
        if let Some(node) = self.0.node.last_mut() {
            node.output = vec![name.to_string()];
        }
        self.0
            .output
            .push(described(name, DataType::Float, Some(BATCH), axes, what));
        self.0.name = title.to_string();
        self.0
    }
}

fn described(
    name: &str,
    kind: DataType,
    first: Option<&str>,
    axes: &[usize],
    what: &str,
) -> ValueInfoProto {
    let told = first.map(|name| Length::Param(name.to_string()));
    let fixed = axes.iter().map(|&length| Length::Value(length as i64));
    let dim = told
        .into_iter()
        .chain(fixed)
        .map(|value| Dimension { value: Some(value) });
    let tensor = TensorType {
        elem_type: kind.into(),
        shape: Some(TensorShapeProto { dim: dim.collect() }),
    };
    ValueInfoProto {
        name: name.to_string(),
        r#type: Some(TypeProto {
            tensor_type: Some(tensor),
        }),
        doc_string: what.to_string(),
    }
}

/// An attribute that is a whole number.
pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_string(),
        i: value,
        r#type: AttributeType::Int.into(),
        ..AttributeProto::default()
    }
}

/// An attribute that is a real number.
pub(crate) fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        name: name.to_string(),
        f: value,
        r#type: AttributeType::Float.into(),
        ..AttributeProto::default()
    }
}

/// An attribute that is several whole numbers.
pub(crate) fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_string(),
        ints: values.to_vec(),
        r#type: AttributeType::Ints.into(),
        ..AttributeProto::default()
    }
}
