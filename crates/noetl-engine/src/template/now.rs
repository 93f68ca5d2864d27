//! `now()`: the time, in UTC.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use minijinja::value::{Object, ObjectRepr, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};

pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_function("now", || Value::from_object(Now(Timestamp::now())));
}

/// A time, with the methods that Python's `datetime` has. Its text is that of RFC 3339.
#[derive(Debug)]
struct Now(Timestamp);

impl Now {
    fn date_time(&self) -> DateTime {
        Offset::UTC.to_datetime(self.0)
    }
}

impl Object for Now {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "year" => Value::from(self.date_time().year()),
            "month" => Value::from(self.date_time().month()),
            "day" => Value::from(self.date_time().day()),
            "hour" => Value::from(self.date_time().hour()),
            "minute" => Value::from(self.date_time().minute()),
            "second" => Value::from(self.date_time().second()),
            _ => return None,
        })
    }

    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "isoformat" => {
                let () = from_args(args)?;
                Ok(Value::from(self.to_string()))
            }
            "timestamp" => {
                let () = from_args(args)?;
                let milliseconds = self.0.as_millisecond();
                Ok(Value::from(milliseconds as f64 / 1000.0))
            }
            "strftime" => {
                let (format,): (&str,) = from_args(args)?;
                jiff::fmt::strtime::format(format, self.0)
                    .map(Value::from)
                    .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, formatter)
    }
}

impl fmt::Display for Now {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00");
        write!(formatter, "{time}")
    }
}
