//! Endpoints that stand at different instants.

use super::*;

fn on(s: &mut Story, endpoint: usize) {
    s.core.settings_mut().answering_endpoint = Some(endpoint);
}

#[test]
fn a_lagging_endpoint_shows_what_was() {
    let mut s = story();
    s.core.settings_mut().endpoint_lags_ms = vec![0, 60_000];
    on(&mut s, 0);
    let (body, b, grantd) = (s.terms(), s.role_b.caller.clone(), s.grantd.caller.clone());
    let (id, token) = create(&mut s, &body, T0).unwrap();
    let ask = by_id(&s, &id);
    assert_eq!(ids(&list(&mut s, json!({}), T0 + 1)), std::slice::from_ref(&id));
    assert!(decrypt(&mut s, &b, T0 + 1).is_ok());
    on(&mut s, 1);
    assert!(ids(&list(&mut s, json!({}), T0 + 59_999)).is_empty());
    assert!(decrypt(&mut s, &b, T0 + 59_999).is_err());
    let unseen = s.core.call(&grantd, Op::RetireGrant, &ask, T0 + 59_999);
    assert_eq!(code(unseen), "NotFoundException");
    assert_eq!(ids(&list(&mut s, json!({}), T0 + 60_000)), std::slice::from_ref(&id));

    let retire = json!({ "GrantToken": token });
    s.core.call(&grantd, Op::RetireGrant, &retire, T0 + 100_000).unwrap();
    assert!(decrypt(&mut s, &b, T0 + 159_999).is_ok(), "it has not heard of the end");
    assert_eq!(ids(&list(&mut s, json!({}), T0 + 159_999)), std::slice::from_ref(&id));
    on(&mut s, 0);
    assert!(decrypt(&mut s, &b, T0 + 159_999).is_err());
    assert!(ids(&list(&mut s, json!({}), T0 + 159_999)).is_empty());
    on(&mut s, 1);
    assert!(ids(&list(&mut s, json!({}), T0 + 160_000)).is_empty());
}

/// Asked again and again, a grant is there, is not there, and is there.
#[test]
fn chance_picks_the_endpoint() {
    let mut s = story();
    s.core.settings_mut().endpoint_lags_ms = vec![0, 60_000];
    let body = s.terms();
    create(&mut s, &body, T0).unwrap();
    let shown: Vec<bool> =
        (1..30).map(|i| !ids(&list(&mut s, json!({}), T0 + i)).is_empty()).collect();
    assert!(shown.contains(&true) && shown.contains(&false), "{shown:?}");
    assert!(shown.windows(2).filter(|pair| pair[0] != pair[1]).count() > 3, "{shown:?}");
}

/// The end by a lagging endpoint is true at once, and a repeat of it there is a switch.
#[test]
fn an_end_through_a_lagging_endpoint() {
    let mut s = story();
    s.core.settings_mut().endpoint_lags_ms = vec![0, 60_000];
    on(&mut s, 1);
    let (body, grantd) = (s.terms(), s.grantd.caller.clone());
    let (id, _) = create(&mut s, &body, T0).unwrap();
    let ask = by_id(&s, &id);
    s.core.call(&grantd, Op::RetireGrant, &ask, T0 + 60_000).unwrap();
    assert_eq!(s.core.count_alive(T0 + 60_000), 0);
    s.core.settings_mut().unconfirmed.end_again_accepted = true;
    assert!(s.core.call(&grantd, Op::RetireGrant, &ask, T0 + 60_001).is_ok());
    assert_eq!(s.core.grant(&id).unwrap().ended_at_ms, Some(T0 + 60_000));
}
