//! What the interpreter does with a node.

use super::operation::Operation;
use super::write::Write;

/// What the interpreter does with a node; functions are given by the numbers of their bodies.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    /// TensorFlow runs it.
    Execute,
    /// TensorFlow runs it once; the result serves for the life of the model: constants, handles.
    ExecuteOnce,
    /// Its outputs are its inputs.
    Pass,
    /// It only orders other nodes.
    Nothing,
    Call(usize),
    While {
        condition: usize,
        body: usize,
    },
    If {
        then: usize,
        otherwise: usize,
    },
    Case(Vec<usize>),
    /// Reads a variable of TensorFlow 1, which the interpreter keeps itself.
    ReadVariable,
    /// Writes such a variable; the node's first input, the variable, is left out.
    WriteVariable {
        variable: String,
        write: Write,
    },
    Frame(Frame),
}

impl Action {
    /// The bodies whose operators count as the node's own.
    pub(super) fn bodies(&self) -> Vec<usize> {
        match self {
            Self::Call(body) | Self::While { body, .. } => vec![*body],
            Self::If { then, otherwise } => vec![*then, *otherwise],
            Self::Case(branches) => branches.clone(),
            _ => Vec::new(),
        }
    }
}

/// The parts of TensorFlow 1's branches and loops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Frame {
    Switch,
    Merge,
    Enter,
    Exit,
    Next,
}

/// The operators that TensorFlow does not run by itself, with their actions.
const ACTIONS: [(&str, Action); 20] = [
    ("Const", Action::ExecuteOnce),
    ("NoOp", Action::Nothing),
    ("ControlTrigger", Action::Nothing),
    ("Identity", Action::Pass),
    ("IdentityN", Action::Pass),
    ("RefIdentity", Action::Pass),
    ("LoopCond", Action::Pass),
    ("PlaceholderWithDefault", Action::Pass),
    ("VariableV2", Action::ReadVariable),
    ("Variable", Action::ReadVariable),
    ("Switch", Action::Frame(Frame::Switch)),
    ("RefSwitch", Action::Frame(Frame::Switch)),
    ("Merge", Action::Frame(Frame::Merge)),
    ("RefMerge", Action::Frame(Frame::Merge)),
    ("Enter", Action::Frame(Frame::Enter)),
    ("RefEnter", Action::Frame(Frame::Enter)),
    ("Exit", Action::Frame(Frame::Exit)),
    ("RefExit", Action::Frame(Frame::Exit)),
    ("NextIteration", Action::Frame(Frame::Next)),
    ("RefNextIteration", Action::Frame(Frame::Next)),
];

/// The action of an operator; `function` returns the number of a function by name.
pub(super) fn action(
    operation: &Operation,
    inputs: usize,
    mut function: impl FnMut(&str) -> Result<usize, String>,
) -> Result<Action, String> {
    let mut named = |attribute: &str| match operation.function(attribute) {
        Some(name) => function(name),
        None => Err(format!("its attribute {attribute} does not name a function")),
    };
    Ok(match operation.operator.as_str() {
        "PartitionedCall" | "StatefulPartitionedCall" => Action::Call(named("f")?),
        "While" | "StatelessWhile" => Action::While { condition: named("cond")?, body: named("body")? },
        "If" | "StatelessIf" => Action::If { then: named("then_branch")?, otherwise: named("else_branch")? },
        "Case" | "StatelessCase" => {
            let branches = operation.functions("branches").unwrap_or_default();
            Action::Case(branches.into_iter().map(function).collect::<Result<_, _>>()?)
        }
        name => match ACTIONS.iter().find(|(operator, _)| *operator == name) {
            Some((_, action)) => action.clone(),
            None if inputs == 0 && makes_a_handle(name) => Action::ExecuteOnce,
            None => Action::Execute,
        },
    })
}

/// Whether the operator looks up a variable or table by its name.
fn makes_a_handle(operator: &str) -> bool {
    operator == "VarHandleOp" || (operator.contains("HashTable") && !operator.starts_with("Anonymous"))
}
