use serde_json::json;

use super::*;
use crate::{Story, StoryOptions};

#[test]
fn a_rule_catches_what_it_names_and_so_often() {
    let story = Story::new(StoryOptions::default(), 0);
    let caller = &story.grantd.caller;
    let mut faults = Faults::default();
    let named = Match { name: Some("g-1".into()), ..Match::op(Op::CreateGrant) };
    let once = faults.add(Fault::new(named, When::After, Act::Drop).times(1));
    let body = json!({ "Name": "grantd/prod/g-1/1" });
    assert!(faults.catch(caller, Op::ListGrants, &body).is_empty());
    assert!(faults.catch(caller, Op::CreateGrant, &json!({ "Name": "other" })).is_empty());
    let caught = faults.catch(caller, Op::CreateGrant, &body);
    assert_eq!(caught, [Caught { id: once, when: When::After, act: Act::Drop }]);
    assert!(faults.catch(caller, Op::CreateGrant, &body).is_empty());
    assert!(faults.contains(once));
}

#[test]
fn a_rule_reads_from_json() {
    let text = r#"{"match":{"op":"RetireGrant"},"when":"before","act":{"delay":5},"times":2}"#;
    let fault: Fault = serde_json::from_str(text).expect("the documented form");
    assert_eq!(fault, Fault::new(Match::op(Op::RetireGrant), When::Before, Act::Delay(5)).times(2));
}
