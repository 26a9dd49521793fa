//! The types of a model's arguments, as the framework writes them: `Dict[str, List[Tensor]]`.

/// The structure of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// `List[X]`: the type of its elements.
    List(&'a str),
    /// `Tuple[X, Y]`: the types of its elements, with commas.
    Tuple(&'a str),
    /// `Dict[K, V]`: the type of its values.
    Dict(&'a str),
    /// `NamedTuple[x: X, y: Y]`: its fields and their types, with commas.
    Named(&'a str),
    /// A class of the model's own.
    Class,
    /// A tensor or a number.
    Single,
}

impl<'a> Kind<'a> {
    /// Parses a type; an optional one counts as the type within.
    pub fn of(kind: &'a str) -> Self {
        let inside = |container: &str| kind.strip_prefix(container)?.strip_prefix('[')?.strip_suffix(']');
        if let Some(inner) = inside("Optional") {
            return Self::of(inner);
        }
        if let Some(inner) = inside("List") {
            return Self::List(inner);
        }
        if let Some(inner) = inside("Tuple") {
            return Self::Tuple(inner);
        }
        if let Some(inner) = inside("Dict") {
            return Self::Dict(parts(inner).nth(1).unwrap_or(""));
        }
        if let Some(inner) = inside("NamedTuple") {
            return Self::Named(inner);
        }
        if kind.starts_with("__torch__") { Self::Class } else { Self::Single }
    }

    /// The suffixes by which its elements are named, with their types; in a list of any length, one stands for all.
    pub fn elements(self) -> Vec<(String, &'a str)> {
        match self {
            Self::List(inner) => vec![("[N]".to_owned(), inner)],
            Self::Tuple(inner) => {
                parts(inner).enumerate().map(|(i, part)| (format!("[{i}]"), part)).collect()
            }
            Self::Named(inner) => fields(inner).map(|(name, part)| (format!(".{name}"), part)).collect(),
            Self::Dict(inner) => vec![(".KEY".to_owned(), inner)],
            Self::Class | Self::Single => Vec::new(),
        }
    }

    /// The type of the element at an index.
    pub fn element(self, index: usize) -> &'a str {
        match self {
            Self::List(inner) => inner,
            Self::Tuple(inner) => parts(inner).nth(index).unwrap_or(""),
            Self::Named(inner) => fields(inner).nth(index).map_or("", |(_, part)| part),
            Self::Dict(_) | Self::Class | Self::Single => "",
        }
    }

    /// The index of an element by its number or, in a named tuple, by its name.
    pub fn index(self, key: &str) -> Option<usize> {
        let named = match self {
            Self::Named(inner) => fields(inner).position(|(name, _)| name == key),
            _ => None,
        };
        named.or_else(|| key.parse().ok())
    }

    /// The suffix by which the element at an index is named.
    pub fn suffix(self, index: usize) -> String {
        match self {
            Self::Named(_) => self.elements().into_iter().nth(index).map(|(name, _)| name),
            _ => None,
        }
        .unwrap_or_else(|| format!("[{index}]"))
    }
}

/// The keys and indices that a dotted path means within a type; below its last level, dots belong to a key.
pub fn path<'p>(kind: &str, path: &'p str) -> Vec<&'p str> {
    let inner = match Kind::of(kind) {
        Kind::Dict(inner) | Kind::List(inner) => inner,
        sequence @ (Kind::Tuple(_) | Kind::Named(_)) => {
            sequence.element(path.split('.').next().and_then(|key| sequence.index(key)).unwrap_or(0))
        }
        Kind::Class | Kind::Single => return path.split('.').collect(),
    };
    match path.split_once('.') {
        Some((key, rest)) if Kind::of(inner) != Kind::Single => {
            [&[key], self::path(inner, rest).as_slice()].concat()
        }
        _ => vec![path],
    }
}

/// The type of the elements at the bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaf {
    /// Texts, or bytes.
    Text,
    /// Integers.
    Integer,
    /// Numbers with a fraction.
    Float,
    /// Truth values.
    Flag,
    /// The type does not say.
    Any,
}

impl Leaf {
    /// The leaf type of `str`, `List[int]`, `Tensor float32 [?, 3]` and the like.
    pub fn of(kind: &str) -> Self {
        if let Some(tensor) = kind.strip_prefix("Tensor ") {
            let element = tensor.split_whitespace().next().unwrap_or_default();
            let starts = |names: &[&str]| names.iter().any(|name| element.starts_with(name));
            return match element {
                "string" => Self::Text,
                "bool" => Self::Flag,
                _ if starts(&["int", "uint"]) => Self::Integer,
                _ if starts(&["float", "bfloat", "half", "double"]) => Self::Float,
                _ => Self::Any,
            };
        }
        match Kind::of(kind) {
            Kind::List(inner) | Kind::Dict(inner) => Self::of(inner),
            _ => match kind.strip_prefix("Optional[").and_then(|rest| rest.strip_suffix(']')).unwrap_or(kind)
            {
                "str" => Self::Text,
                "int" => Self::Integer,
                "float" => Self::Float,
                "bool" => Self::Flag,
                _ => Self::Any,
            },
        }
    }
}

/// The fields of a named tuple: name and type.
fn fields(text: &str) -> impl Iterator<Item = (&str, &str)> {
    parts(text).filter_map(|field| field.split_once(": "))
}

/// The parts between the outermost commas.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |c| {
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::{Kind, Leaf, path};

    #[test]
    fn elements_and_paths_are_told() {
        for (kind, leaf) in [
            ("Tensor string [?, 1]", Leaf::Text),
            ("Tensor int64 [?]", Leaf::Integer),
            ("Tensor uint8 [?, 8, 8, 1]", Leaf::Integer),
            ("Tensor bfloat16 […]", Leaf::Float),
            ("Tensor bool [?]", Leaf::Flag),
            ("Tensor", Leaf::Any),
            ("Dict[str, Tensor]", Leaf::Any),
            ("Optional[str]", Leaf::Text),
            ("List[int]", Leaf::Integer),
        ] {
            assert_eq!(Leaf::of(kind), leaf, "{kind}");
        }
        assert_eq!(path("Dict[str, List[Tensor]]", "k.0"), ["k", "0"]);
        assert_eq!(path("Dict[str, Tensor]", "k.0"), ["k.0"]);
        assert_eq!(path("NamedTuple[x: Tensor, y: Dict[str, Tensor]]", "y.a.b"), ["y", "a.b"]);
    }

    #[test]
    fn types_are_taken_apart() {
        assert_eq!(Kind::of("Optional[List[Tensor]]"), Kind::List("Tensor"));
        assert_eq!(Kind::of("Dict[str, Tuple[int, Tensor]]"), Kind::Dict("Tuple[int, Tensor]"));
        let tuple = Kind::of("Tuple[Tensor, Tuple[Tensor, int], Dict[str, int]]");
        assert_eq!(
            [0, 1, 2, 3].map(|i| tuple.element(i)),
            ["Tensor", "Tuple[Tensor, int]", "Dict[str, int]", ""]
        );
        assert_eq!(Kind::of("__torch__.Point"), Kind::Class);
        let named = Kind::of("Optional[NamedTuple[x: Tensor, of: Tuple[int, Tensor], 2: int]]");
        assert_eq!([0, 1, 2, 3].map(|i| named.element(i)), ["Tensor", "Tuple[int, Tensor]", "int", ""]);
        assert_eq!(["of", "1", "2", "y"].map(|key| named.index(key)), [Some(1), Some(1), Some(2), None]);
        assert_eq!(named.suffix(1), ".of");
        for single in ["Tensor", "int", "Optional[float]", "str", "", "]["] {
            assert_eq!(Kind::of(single), Kind::Single, "{single}");
        }
    }
}
