//! `.csv`: a table, one sample a row.

use crate::args::TableArgs;
use dlbacktrace::{Argument, Value};
use ndarray::Array2;

/// What a file holds.
#[derive(Debug)]
pub enum Table {
    /// Numbers, rows by columns, with the names of the columns if the file has them.
    Numbers { values: Array2<f64>, names: Option<Vec<String>> },
    /// Columns that are inputs of the model, by name: numbers or texts.
    Columns(Vec<(String, Value)>),
}

/// Reads the content of a `.csv` file. Its first row is a header unless all of it are numbers. If it names several of the
/// model's arguments, these columns are what is wanted.
///
/// # Errors
/// What is wrong with it, and which option helps.
pub fn parse(bytes: &[u8], options: &TableArgs, arguments: &[Argument]) -> Result<Table, String> {
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(::csv::Trim::All)
        .delimiter(delimiter(bytes))
        .from_reader(bytes);
    let mut rows: Vec<::csv::StringRecord> =
        reader.records().collect::<Result<_, _>>().map_err(|e| format!("it is not a whole table ({e})"))?;
    let has_header = rows.first().is_some_and(|row| row.iter().any(|cell| number(cell).is_none()));
    let header: Option<Vec<String>> = has_header
        .then(|| rows.remove(0).iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect());
    let width = header.as_ref().map(Vec::len).or(rows.first().map(::csv::StringRecord::len)).unwrap_or(0);
    let columns = chosen(header.as_deref(), width, options)?;

    let rows = selected(rows, &options.row)?;
    let inputs = inputs(&columns, header.as_deref(), arguments);
    if inputs.len() > 1 {
        let inputs =
            inputs.into_iter().map(|(column, name)| Ok((name.clone(), self::column(&rows, column)?)));
        return inputs.collect::<Result<_, String>>().map(Table::Columns);
    }
    let mut values = Vec::with_capacity(rows.len() * columns.len());
    for (line, row) in rows.iter().enumerate() {
        for &column in &columns {
            let cell = row.get(column).unwrap_or("");
            values.push(number(cell).ok_or_else(|| {
                text_in_columns(&rows, &columns, header.as_deref())
                    .unwrap_or_else(|| format!("row {line} has `{cell}` where a number should be"))
            })?);
        }
    }
    let values = Array2::from_shape_vec((rows.len(), columns.len()), values).map_err(|e| e.to_string())?;
    let names =
        header.map(|header| columns.iter().filter_map(|column| header.get(*column).cloned()).collect());
    Ok(Table::Numbers { values, names })
}

/// The columns that have the name of an argument.
fn inputs<'a>(
    columns: &[usize],
    header: Option<&'a [String]>,
    arguments: &[Argument],
) -> Vec<(usize, &'a String)> {
    let named = columns.iter().filter_map(|&column| Some((column, header?.get(column)?)));
    named.filter(|(_, name)| arguments.iter().any(|argument| argument.name == **name)).collect()
}

/// A column as `[N, 1]`: integers if all are, else numbers, else texts.
fn column(rows: &[::csv::StringRecord], column: usize) -> Result<Value, String> {
    let cells: Vec<&str> = rows.iter().map(|row| row.get(column).unwrap_or("")).collect();
    let shape = (cells.len(), 1);
    if let Ok(integers) = cells.iter().map(|cell| cell.parse()).collect::<Result<Vec<i64>, _>>() {
        return Ok(Value::Int(
            Array2::from_shape_vec(shape, integers).map_err(|e| e.to_string())?.into_dyn(),
        ));
    }
    if let Some(numbers) = cells.iter().map(|cell| number(cell)).collect() {
        return Ok(Value::F64(Array2::from_shape_vec(shape, numbers).map_err(|e| e.to_string())?.into_dyn()));
    }
    let text = |cell: &&str| Value::List(vec![Value::Text((*cell).to_owned())]);
    Ok(Value::List(cells.iter().map(text).collect()))
}

fn number(cell: &str) -> Option<f64> {
    cell.parse().ok()
}

/// Comma, unless the first line has none and another usual separator.
fn delimiter(bytes: &[u8]) -> u8 {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    [b',', b';', b'\t'].into_iter().find(|delimiter| line.contains(delimiter)).unwrap_or(b',')
}

/// The indices of the columns to use.
fn chosen(header: Option<&[String]>, width: usize, options: &TableArgs) -> Result<Vec<usize>, String> {
    let find = |wanted: &String| {
        let named = header.and_then(|header| header.iter().position(|name| name == wanted));
        let index = named.or_else(|| wanted.parse().ok().filter(|index| *index < width));
        index.ok_or_else(|| match header {
            Some(header) => format!("it has no column `{wanted}`; there are {}", header.join(", ")),
            None => format!(
                "it has no column {wanted}; without a header they are 0 to {}",
                width.saturating_sub(1)
            ),
        })
    };
    if !options.columns.is_empty() {
        return options.columns.iter().map(find).collect();
    }
    let dropped: Vec<usize> = options.drop.iter().map(find).collect::<Result<_, _>>()?;
    Ok((0..width).filter(|column| !dropped.contains(column)).collect())
}

fn selected(rows: Vec<::csv::StringRecord>, wanted: &[usize]) -> Result<Vec<::csv::StringRecord>, String> {
    if rows.is_empty() {
        return Err("it has no row of data".to_owned());
    }
    if wanted.is_empty() {
        return Ok(rows);
    }
    let row = |index: &usize| {
        rows.get(*index)
            .cloned()
            .ok_or_else(|| format!("it has no row {index}; there are {}, from 0", rows.len()))
    };
    wanted.iter().map(row).collect()
}

/// Names the columns that hold no numbers.
fn text_in_columns(
    rows: &[::csv::StringRecord],
    columns: &[usize],
    header: Option<&[String]>,
) -> Option<String> {
    let is_text = |column: usize| rows.iter().all(|row| row.get(column).and_then(number).is_none());
    let texts: Vec<String> = columns
        .iter()
        .filter(|column| is_text(**column))
        .map(|column| {
            header.and_then(|header| header.get(*column).cloned()).unwrap_or_else(|| column.to_string())
        })
        .collect();
    (!texts.is_empty()).then(|| {
        let names = texts.join(",");
        format!("its columns {names} hold no numbers; leave them out by --drop {names}, or name those to use by --columns")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    const TABLE: &str = "age,city,height\n30,Oslo,1.8\n40,Rome,1.7\n";

    fn options(columns: &[&str], drop: &[&str], row: &[usize]) -> TableArgs {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        TableArgs { columns: owned(columns), drop: owned(drop), row: row.to_vec() }
    }

    fn numbers(text: &str, options: &TableArgs) -> Result<(Array2<f64>, Option<Vec<String>>), String> {
        match parse(text.as_bytes(), options, &[])? {
            Table::Numbers { values, names } => Ok((values, names)),
            Table::Columns(_) => Err("no argument has a name".to_owned()),
        }
    }

    #[test]
    fn header_gives_names_and_options_choose() -> Result<(), String> {
        let table = numbers(TABLE, &options(&[], &["city"], &[]))?;
        assert_eq!(table.0, arr2(&[[30.0, 1.8], [40.0, 1.7]]));
        assert_eq!(table.1, Some(vec!["age".to_owned(), "height".to_owned()]));
        assert_eq!(table, numbers(TABLE, &options(&["age", "2"], &[], &[]))?);
        let one = numbers(TABLE, &options(&["height"], &[], &[1]))?;
        assert_eq!(one.0, arr2(&[[1.7]]));
        Ok(())
    }

    #[test]
    fn columns_go_to_the_inputs_of_their_names() -> Result<(), String> {
        let argument = |name: &str| Argument { name: name.to_owned(), kind: String::new(), optional: false };
        let of = |arguments: &[Argument], options| parse(TABLE.as_bytes(), &options, arguments);
        let three = ["height", "age", "city"].map(argument);
        let Table::Columns(columns) = of(&three, options(&[], &[], &[1]))? else {
            return Err("columns are inputs".to_owned());
        };
        assert_eq!(
            columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["age", "city", "height"]
        );
        let [(_, Value::Int(age)), (_, Value::List(city)), (_, Value::F64(height))] = columns.as_slice()
        else {
            return Err(format!("{columns:?}"));
        };
        assert_eq!((age, height), (&arr2(&[[40]]).into_dyn(), &arr2(&[[1.7]]).into_dyn()));
        assert!(
            matches!(city.as_slice(), [Value::List(city)] if matches!(&city[..], [Value::Text(city)] if city == "Rome"))
        );
        // One argument takes the whole table, whatever its columns are called.
        assert!(matches!(of(&[argument("age")], options(&[], &["city"], &[]))?, Table::Numbers { .. }));
        Ok(())
    }

    #[test]
    fn without_header_and_with_other_separators() -> Result<(), String> {
        assert_eq!(numbers("1;2\n3;4\n", &options(&[], &[], &[]))?, (arr2(&[[1.0, 2.0], [3.0, 4.0]]), None));
        Ok(())
    }

    #[test]
    fn errors_name_columns_and_help() {
        let error = |text: &str, options| numbers(text, &options).expect_err("nonsense");
        assert!(error(TABLE, options(&[], &[], &[])).contains("--drop city"));
        assert!(error(TABLE, options(&["size"], &[], &[])).contains("age, city, height"));
        assert!(error(TABLE, options(&["age"], &[], &[7])).contains("no row 7"));
        assert!(error("a,b\n1,\n2,3\n", options(&[], &[], &[])).contains("row 0"));
        for nonsense in ["", "a,b\n", "1,2\n3\n", "\"", "a,b\n1,2,3\n"] {
            assert!(numbers(nonsense, &options(&[], &[], &[])).is_err(), "{nonsense:?}");
        }
    }
}
