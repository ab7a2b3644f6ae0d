//! The macro that reads the table of events.

/// Defines [`Event`](super::Event), [`EventKind`](super::EventKind) and everything that is known of each kind.
///
/// An entry is the variant with its documented fields, and its row:
///
/// ```text
/// /// What happened: the documentation sentence.
/// Variant = "stable_name" {
///     /// What the field says.
///     field: Type,
/// }
/// level: Warning,                        an EventLevel
/// hint: "…",                             optional: what the operator can do, always the same …
/// hint by field: expression,             … or an Option that depends on a field, of which it is given a reference
/// doctor: Error, "why …", fix "…";       optional: what doctor says when it happened
/// ```
macro_rules! events {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident = $name:literal {
            $($(#[doc = $field_doc:literal])+ $field:ident: $type:ty,)+
        }
        level: $level:ident
        $(, hint: $hint:literal)?
        $(, hint by $by:ident: $chosen:expr)?
        $(, doctor: $severity:ident, $why:literal, fix $fix:literal)?;
    )+) => {
        /// Something an operator may want to know, alarm on or count.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "event")]
        pub enum Event {
            $(
                $(#[doc = $doc])+
                #[serde(rename = $name)]
                $variant { $($(#[doc = $field_doc])+ $field: $type,)+ },
            )+
        }

        /// A kind of event: an event without its fields, in the order of the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventKind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Event {
            /// What kind of event it is.
            pub const fn kind(&self) -> EventKind {
                match self {
                    $(Self::$variant { .. } => EventKind::$variant,)+
                }
            }

            /// What the operator can do about it; every event that is logged as a warning has such a hint.
            pub fn hint(&self) -> Option<Cow<'static, str>> {
                match self {
                    $(Self::$variant { $($by,)? .. } => {
                        let fixed: Option<&'static str> = optional!($($hint)?);
                        fixed.map(Cow::Borrowed)$(.or($chosen.map(Cow::from)))?
                    })+
                }
            }

            /// The address that it is about; `None` where it is about a segment or a station.
            pub fn address(&self) -> Option<Address> {
                let address = match self {
                    $(Self::$variant { $($field),+ } => {
                        let fields = [$((stringify!($field), FieldValue::from($field))),+];
                        fields.into_iter().find(|(name, _)| *name == "address")
                    })+
                };
                address.and_then(|(_, value)| if let FieldValue::Address(address) = value { Some(address) } else { None })
            }

            /// Its fields with their names, in the order of the table.
            pub fn fields(&self) -> Vec<(&'static str, FieldValue<'_>)> {
                match self {
                    $(Self::$variant { $($field),+ } => {
                        vec![$((stringify!($field), FieldValue::from($field))),+]
                    })+
                }
            }
        }

        impl EventKind {
            /// Every kind there is.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its row of the table.
            pub const fn row(self) -> &'static EventRow {
                match self {
                    $(Self::$variant => const {
                        &EventRow {
                            name: $name,
                            doc: concat!($($doc),+).trim_ascii(),
                            level: EventLevel::$level,
                            hint: optional!($($hint)?),
                            hint_by: optional!($(stringify!($by))?),
                            diagnosis: optional!($(EventDiagnosis {
                                severity: EventLevel::$severity,
                                why: $why,
                                fix: $fix,
                            })?),
                            fields: &[$(EventField {
                                name: stringify!($field),
                                doc: concat!($($field_doc),+).trim_ascii(),
                            }),+],
                        }
                    },)+
                }
            }
        }
    };
}

/// What an optional part of an entry is.
macro_rules! optional {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}
