//! The form of [`SegmentPlan::sources`](super::SegmentPlan::sources) in a recording: nothing, one address, or a list.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::address::Address;

/// What may stand there.
#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    None(()),
    One(Address),
    Several(Vec<Address>),
}

pub(super) fn serialize<S: Serializer>(sources: &[Address], serializer: S) -> Result<S::Ok, S::Error> {
    match sources {
        [] => serializer.serialize_none(),
        [one] => one.serialize(serializer),
        several => several.serialize(serializer),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Address>, D::Error> {
    Ok(match Form::deserialize(deserializer)? {
        Form::None(()) => Vec::new(),
        Form::One(source) => vec![source],
        Form::Several(sources) => sources,
    })
}

#[cfg(test)]
mod tests {
    use crate::plan::{DomainId, SegmentPlan};

    #[test]
    fn recordings_of_one_source_or_none_stay_as_they_are() {
        let lists: [(&str, Vec<_>); 3] = [
            ("null", Vec::new()),
            (r#""10.2.0.1""#, vec![[10, 2, 0, 1].into()]),
            (r#"["10.2.0.1","10.2.0.2"]"#, vec![[10, 2, 0, 1].into(), [10, 2, 0, 2].into()]),
        ];
        for (text, sources) in lists {
            let plan = SegmentPlan { sources, ..SegmentPlan::new("eth0", DomainId(0), &[]) };
            let json = serde_json::to_string(&plan).expect("plain data");
            assert!(json.contains(&format!(r#""source":{text},"#)), "{json}");
            assert_eq!(serde_json::from_str::<SegmentPlan>(&json).expect("own text"), plan);
        }
    }
}
