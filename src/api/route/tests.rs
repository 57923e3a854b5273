use hyper::Method;

use super::*;

fn get(path: &str, query: &str) -> Result<Action, NoAction> {
    route(&Method::GET, path, Some(query))
}

fn text(answer: Result<Action, NoAction>) -> String {
    answer.unwrap_err().fault.text
}

#[test]
fn each_route_is_an_action() {
    let post = |path| route(&Method::POST, path, None).unwrap();
    assert_eq!(post("/v1/leases"), Action::Create);
    assert_eq!(post("/v1/reload"), Action::Reload);
    assert_eq!(post("/v1/proofs"), Action::Prove);
    assert_eq!(post("/v1/leases/g-7k/revoke"), Action::Revoke("g-7k".into()));
    let get = |path| route(&Method::GET, path, None).unwrap();
    assert_eq!(get("/v1/leases"), Action::Leases(ListLeases::default()));
    assert_eq!(get("/v1/leases/g-7k2m9x4p1q8z"), Action::Lease("g-7k2m9x4p1q8z".into()));
    assert_eq!(get("/v1/history"), Action::History(ListHistory::default()));
    assert_eq!(get("/v1/history/verify"), Action::Verify);
    assert_eq!(get("/v1/status"), Action::Status);
    assert_eq!(get("/v1/health"), Action::Health);
    assert_eq!(get("/v1/openapi.json"), Action::Document);
}

#[test]
fn every_filter_is_read() {
    let query = "key=alias%2Fapp&grantee=RoleB&policy=p&state=active&overdue=true&mine=true\
                 &all=false&after=c%3D1";
    let expected = ListLeases {
        key: Some("alias/app".into()),
        grantee: Some("RoleB".into()),
        policy: Some("p".into()),
        state: Some("active".into()),
        overdue: true,
        mine: true,
        all: false,
        after: Some("c=1".into()),
    };
    assert_eq!(get("/v1/leases", query), Ok(Action::Leases(expected)));
    let expected = ListHistory {
        reference: Some("g-7k".into()),
        since: Some(Time::parse("2026-11-23T18:00:00Z").unwrap()),
        after: Some("42".into()),
    };
    let query = "ref=g-7k&since=2026-11-23T18:00:00Z&after=42";
    assert_eq!(get("/v1/history", query), Ok(Action::History(expected)));
}

#[test]
fn what_is_not_understood_is_named() {
    let leases = |query| text(get("/v1/leases", query));
    assert_eq!(leases("gratnee=RoleB"), "query parameter \"gratnee\" is not known here");
    assert_eq!(leases("key=a&key=b"), "query parameter \"key\" is given twice");
    assert_eq!(leases("mine=yes"), "query parameter \"mine\" is \"yes\", not true or false");
    assert_eq!(
        leases("state=dead"),
        "query parameter \"state\" is \"dead\", not one of creating, active, ending, ended, closed"
    );
    let since = text(get("/v1/history", "since=yesterday"));
    assert!(since.starts_with("query parameter \"since\" is \"yesterday\", which is no instant: "));
    assert_eq!(text(get("/v1/status", "a=b")), "query parameter \"a\" is not known here");
    let create = route(&Method::POST, "/v1/leases", Some("ttl=2h"));
    assert_eq!(text(create), "query parameter \"ttl\" is not known here");
    for prefix in ["g-7k2m9x4p1q8zz", "g%2d7k", "..", "g_7"] {
        let fault = get(&format!("/v1/leases/{prefix}"), "").unwrap_err().fault;
        assert_eq!(fault.kind, Kind::BadArgument, "{prefix}");
    }
}

#[test]
fn a_wrong_method_learns_the_right_ones() {
    let cases = [
        (Method::DELETE, "/v1/leases", "GET, POST"),
        (Method::PUT, "/v1/leases/g-7k", "GET"),
        (Method::GET, "/v1/reload", "POST"),
        (Method::POST, "/v1/metrics", "GET"),
        (Method::GET, "/v1/leases/g-7k/revoke", "POST"),
        (Method::POST, "/v1/history", "GET"),
        (Method::POST, "/v1/history/verify", "GET"),
        (Method::HEAD, "/v1/status", "GET"),
        (Method::OPTIONS, "/v1/health", "GET"),
        (Method::POST, "/v1/openapi.json", "GET"),
    ];
    for (method, path, allow) in cases {
        let refusal = route(&method, path, None).unwrap_err();
        assert_eq!((refusal.fault.kind, refusal.allow), (Kind::WrongMethod, Some(allow)), "{path}");
    }
}

#[test]
fn a_path_off_the_map_is_nowhere() {
    let paths =
        ["/", "/v1", "/v1/", "/v1/leases/", "/v1/leases/g-7k/", "/v2/status", "//v1/status", "*"];
    for path in paths {
        let refusal = route(&Method::GET, path, None).unwrap_err();
        assert_eq!((refusal.fault.kind, refusal.allow), (Kind::NoRoute, None), "{path}");
    }
}
