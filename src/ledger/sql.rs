//! Every statement of the ledger, in one place: a test asks SQLite for the plan of each, and none
//! may scan.

use std::fmt::Write as _;

/// The columns of a [`super::Row`], with `g` for `kms_grant` and `l` for its lease.
macro_rules! row {
    ($rest:literal) => {
        concat!(
            "SELECT g.id, l.ref, g.lease, g.lane, g.key_arn, g.serial, g.twin, g.origin, g.name, \
            g.request, g.deadline, \
             g.lead_ms, g.settle_ms, g.end_order, g.state, g.grant_id, g.why, g.via, g.how, \
             g.create_count, \
             g.create_open, g.create_sent, g.missing_at, g.end_count, g.end_first, g.end_sent, \
             g.accepted_at, g.gone_at, \
             g.closed_at, g.act, g.next_action_at, g.fault, g.fault_since, l.grantee \
             FROM kms_grant g JOIN lease l ON l.id = g.lease ",
            $rest
        )
    };
}

macro_rules! statements {
    ($($name:ident = $sql:expr;)*) => {
        $(pub(super) const $name: &str = $sql;)*
        /// For the test of their plans.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

statements! {
    HOST = "SELECT high_water, boot_id, anchor_wall, anchor_boot FROM host WHERE one = 1";
    SET_HOST = "INSERT INTO host(one, high_water, boot_id, anchor_wall, anchor_boot) \
        VALUES(1, ?1, ?2, ?3, ?4) ON CONFLICT(one) DO UPDATE \
        SET high_water = ?1, boot_id = ?2, anchor_wall = ?3, anchor_boot = ?4";

    LANE = "SELECT id, account, region, role_arn, external_id, endpoint, retiring_principal, \
        profile, session_name, revoke_role_arn, proxy \
        FROM lane WHERE id = ?1";
    LANE_BY_FACTS = "SELECT id FROM lane \
        WHERE account = ?1 AND region = ?2 AND coalesce(role_arn, '') = coalesce(?3, '') AND \
        coalesce(external_id, '') = coalesce(?4, '') AND coalesce(endpoint, '') = coalesce(?5, \
        '') AND retiring_principal = ?6";
    LANE_IDS = "SELECT id FROM lane WHERE id > ?1 ORDER BY id LIMIT ?2";
    NEW_LANE = "INSERT INTO lane(account, region, role_arn, external_id, endpoint, \
        retiring_principal) \
        VALUES(?1, ?2, ?3, ?4, ?5, ?6)";
    SET_WAYS = "UPDATE lane SET profile = ?2, session_name = ?3 \
        WHERE id = ?1 AND (profile, session_name) IS NOT (?2, ?3)";
    SET_SHARED_WAYS = "UPDATE lane SET revoke_role_arn = ?4, proxy = ?5 \
        WHERE account = ?1 AND region = ?2 AND coalesce(endpoint, '') = coalesce(?3, '') \
        AND (revoke_role_arn, proxy) IS NOT (?4, ?5)";
    IDENTITY = "SELECT identity FROM lane WHERE id = ?1";
    SET_IDENTITY = "UPDATE lane SET identity = ?2 WHERE id = ?1";

    REFUSALS = "SELECT place, actor, body FROM refusal WHERE place > '' ORDER BY place LIMIT ?1";
    SAVE_REFUSAL = "INSERT INTO refusal(place, actor, body) VALUES(?1, ?2, ?3) \
        ON CONFLICT(place) DO UPDATE SET actor = ?2, body = ?3";
    REFUSAL_TOLD = "DELETE FROM refusal WHERE place = ?1";

    LIVE_OF_POLICY = "SELECT count(*) FROM (SELECT 1 FROM lease WHERE policy = ?1 \
        AND state IN('creating', 'active', 'ending') AND origin IN('asked', 'probe') LIMIT ?2)";
    LIVE_OF_ASKER = "SELECT count(*) FROM (SELECT 1 FROM lease WHERE policy = ?1 \
        AND asker_uid = ?2 AND state IN('creating', 'active', 'ending') \
        AND origin IN('asked', 'probe') LIMIT ?3)";
    CENSUS = "SELECT grants, seen_at FROM census WHERE key_arn = ?1";
    SET_CENSUS = "INSERT INTO census(key_arn, grants, seen_at) VALUES(?1, ?2, ?3) \
        ON CONFLICT(key_arn) DO UPDATE SET grants = ?2, seen_at = ?3";

    NEW_LEASE = "INSERT INTO lease(ref, lane, origin, key, key_arn, key_id, grantee, \
        grantee_short, operations, constraints, policy, reason, asker_uid, asker, \
        idem_key, idem_hash, started_at, deadline, latest, lead_ms) \
        VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, \
        ?19, ?20)";
    LEASE_ID = "SELECT id FROM lease WHERE ref = ?1";
    LEASE_TERMS = "SELECT id, lane, origin, key_arn, grantee, operations, constraints \
        FROM lease WHERE ref = ?1";
    LEASE_FOUND = "UPDATE lease SET deadline = max(deadline, ?2), latest = max(latest, ?2), \
        started_at = min(started_at, ?3) WHERE id = ?1";
    JOINED = "SELECT count(*) FROM (SELECT 1 FROM kms_grant WHERE lease = ?1 \
        AND (origin = 'found' OR twin > 0) LIMIT ?2)";
    LEASE_LATEST = "UPDATE lease SET latest = max(latest, ?2) WHERE id = ?1";
    LEASE_CLOSED = "SELECT closed_at IS NOT NULL FROM lease WHERE id = ?1";
    IDEMPOTENCY = "SELECT idem_hash, ref, 1 FROM lease \
        WHERE asker_uid = ?1 AND idem_key = ?2 AND idem_key IS NOT NULL \
        UNION ALL SELECT e.idem_hash, l.ref, e.serial FROM extension_key e \
        JOIN lease l ON l.id = e.lease WHERE e.uid = ?1 AND e.idem_key = ?2";
    NEW_EXTENSION_KEY = "INSERT INTO extension_key(uid, idem_key, idem_hash, lease, serial) \
        VALUES(?1, ?2, ?3, ?4, ?5)";

    NEW_GRANT = "INSERT INTO kms_grant(lease, lane, key_arn, serial, twin, origin, name, request, \
        deadline, lead_ms, settle_ms, end_order, state, grant_id, why, via, how, \
        create_count, create_open, create_sent, missing_at, end_count, end_first, \
        end_sent, accepted_at, gone_at, closed_at, act, next_action_at, fault, \
        fault_since) \
        VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, \
        ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31)";
    SET_GRANT = "UPDATE kms_grant \
        SET state = ?2, grant_id = ?3, why = ?4, via = ?5, how = ?6, create_count = ?7, \
        create_open = ?8, create_sent = ?9, missing_at = ?10, end_count = ?11, end_first = ?12, \
        end_sent = ?13, accepted_at = ?14, gone_at = ?15, closed_at = ?16, act = ?17, \
        next_action_at = ?18, fault = ?19, fault_since = ?20 \
        WHERE id = ?1";
    SET_PROGRESS = "UPDATE kms_grant SET why = ?2, via = ?3, create_count = ?4, \
        create_open = ?5, create_sent = ?6, end_count = ?7, end_first = ?8, end_sent = ?9, \
        accepted_at = ?10, gone_at = ?11, act = ?12, next_action_at = ?13, fault = ?14, \
        fault_since = ?15 WHERE id = ?1";
    NEXT_TWIN = "SELECT coalesce(max(twin), -1) + 1 FROM kms_grant WHERE lease = ?1 AND serial = \
        ?2";
    KNOWN_OPEN = "SELECT id FROM kms_grant \
        WHERE key_arn = ?1 AND grant_id = ?2 AND grant_id IS NOT NULL AND state <> 'closed'";
    OPEN_LEASE_OF = "SELECT l.ref FROM kms_grant g JOIN lease l ON l.id = g.lease \
        WHERE g.key_arn = ?1 AND g.grant_id = ?2 AND g.grant_id IS NOT NULL \
        AND g.state <> 'closed'";
    KNOWN_CLOSED = "SELECT closed_at FROM kms_grant \
        WHERE key_arn = ?1 AND grant_id = ?2 AND grant_id IS NOT NULL AND state = 'closed' \
        ORDER BY closed_at DESC LIMIT 1";

    ROW = row!("WHERE g.id = ?1");
    ROW_BY_SERIAL = row!("WHERE g.lease = ?1 AND g.serial = ?2 AND g.twin = 0");
    ROWS_OF_LEASE = row!("WHERE g.lease = ?1 ORDER BY g.serial, g.twin LIMIT ?2");
    ROWS_OF_KEY = row!("WHERE g.lane = ?1 AND g.key_arn = ?2 AND g.id > ?3 AND g.state <> \
        'closed' \
        ORDER BY g.id LIMIT ?4");
    FIRST_OF_KEY = row!("WHERE g.lane = ?1 AND g.key_arn = ?2 AND g.state <> 'closed' \
        AND +g.act = 'end' AND +g.next_action_at <= ?3 AND (g.end_order = 'revoke') = ?4 \
        ORDER BY g.id LIMIT 1");
    FIRST_OF_LANE = row!("WHERE g.lane = ?1 AND g.act = 'end' AND g.next_action_at <= ?2 \
        AND g.next_action_at IS NOT NULL AND g.origin <> 'found' \
        ORDER BY g.next_action_at, g.id LIMIT 1");
    FIRST_FOUND_OF_LANE = row!("WHERE g.lane = ?1 AND g.act = 'end' AND g.next_action_at <= ?2 \
        AND g.next_action_at IS NOT NULL AND g.origin = 'found' \
        ORDER BY g.next_action_at, g.id LIMIT 1");
    OWED_PROBES = row!("WHERE g.lane = ?1 AND g.key_arn = ?2 AND g.origin = 'probe' \
        AND g.state IN('active', 'ending') ORDER BY g.id DESC LIMIT ?3");
    ROWS_AHEAD = row!("WHERE g.act = ?1 AND g.next_action_at <= ?2 AND g.next_action_at IS NOT \
        NULL AND g.origin <> 'found' ORDER BY g.next_action_at, g.id LIMIT ?3");
    FOUND_AHEAD = row!("WHERE g.act = ?1 AND g.next_action_at <= ?2 AND g.next_action_at IS NOT \
        NULL AND g.origin = 'found' ORDER BY g.next_action_at, g.id LIMIT ?3");
    DUE_BETWEEN = "SELECT next_action_at FROM kms_grant WHERE act = 'end' \
        AND next_action_at > ?2 AND next_action_at <= ?3 AND next_action_at IS NOT NULL \
        AND origin <> 'found' AND +lane = ?1 ORDER BY next_action_at DESC, id DESC LIMIT ?4";
    ROWS_BESIDE = row!("WHERE g.act = ?1 AND g.next_action_at <= ?2 \
        AND g.next_action_at IS NOT NULL AND g.origin <> 'found' AND NOT EXISTS(SELECT 1 \
        FROM stall s WHERE s.lane = g.lane AND s.until > ?4 \
        AND s.key_arn IN('', iif(g.end_order = 'revoke', 'adopted ' || g.key_arn, g.key_arn))) \
        AND (?5 IS NULL OR (coalesce(g.why, '') IN('asked', 'probe')) = ?5) \
        ORDER BY g.next_action_at, g.id LIMIT ?3");
    FOUND_BESIDE = row!("WHERE g.act = ?1 AND g.next_action_at <= ?2 \
        AND g.next_action_at IS NOT NULL AND g.origin = 'found' AND NOT EXISTS(SELECT 1 \
        FROM stall s WHERE s.lane = g.lane AND s.until > ?4 AND s.key_arn IN('', g.key_arn)) \
        AND (?5 IS NULL OR (coalesce(g.why, '') IN('asked', 'probe')) = ?5) \
        ORDER BY g.next_action_at, g.id LIMIT ?3");
    ROWS_AFTER = row!("WHERE g.id > ?1 ORDER BY g.id LIMIT ?2");
    NEXT_KEY = "SELECT key_arn FROM kms_grant \
        WHERE lane = ?1 AND key_arn > ?2 AND state <> 'closed' AND origin <> 'probe' \
        ORDER BY key_arn LIMIT 1";

    NEXT_DEADLINE = "SELECT deadline FROM kms_grant WHERE state IN('creating', 'active', \
        'ending') \
        ORDER BY deadline LIMIT 1";
    OVERDUE = "SELECT l.ref, g.deadline, g.end_count, g.fault \
        FROM kms_grant g JOIN lease l ON l.id = g.lease \
        WHERE g.state IN('creating', 'active', 'ending') AND g.deadline < ?1 \
        ORDER BY g.deadline, g.id LIMIT ?2";
    OVERDUE_COUNT = "SELECT count(*) FROM (SELECT 1 FROM kms_grant \
        WHERE state IN('creating', 'active', 'ending') AND deadline < ?1 LIMIT ?2)";
    OWES_BEFORE = "SELECT 1 FROM kms_grant \
        WHERE lane = ?1 AND state IN('creating', 'active', 'ending') AND state <> 'closed' \
        AND create_sent < ?2 LIMIT 1";
    TALLY = "SELECT state, n FROM tally";
    OPEN_LANES = "SELECT lane FROM tally WHERE state <> 'closed' AND n > 0";

    LEASE_REFS = "SELECT ref, policy, asker_uid FROM lease WHERE ref >= ?1 AND ref < ?2 \
        ORDER BY ref LIMIT ?3";
    LEASE = "SELECT l.id, l.ref, l.state, l.key_arn, l.key, l.grantee, l.operations, \
        l.constraints, l.policy, l.reason, l.asker_uid, l.asker, l.origin, n.account, \
        n.region, n.endpoint, l.started_at, l.deadline, l.latest, l.lead_ms, l.closed_at, \
        EXISTS(SELECT 1 FROM hold h WHERE h.lease = l.id) AS held \
        FROM lease l JOIN lane n ON n.id = l.lane WHERE l.ref = ?1";

    NEW_HOLD = "INSERT INTO hold(lease) VALUES(?1)";
    HOLD = "SELECT h.lease, l.asker_uid, l.asker FROM hold h JOIN lease l ON l.id = h.lease \
        WHERE l.ref = ?1";
    HOLD_OVER = "DELETE FROM hold WHERE lease = ?1";
    HELD = "SELECT l.ref FROM hold h JOIN lease l ON l.id = h.lease \
        WHERE h.lease > 0 ORDER BY h.lease LIMIT ?1";

    NEW_FREEZE = "INSERT INTO freeze(key, grantee, policy, account, caller, reason, frozen_by, \
        frozen_by_name, frozen_at, keys) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    LIFT_FREEZE = "DELETE FROM freeze WHERE id = ?1";
    FREEZES = "SELECT id, key, grantee, policy, account, caller, reason, frozen_by, \
        frozen_by_name, frozen_at, keys FROM freeze WHERE id > 0 ORDER BY id LIMIT ?1";

    ENFORCED = "SELECT policy FROM enforced WHERE policy > '' ORDER BY policy LIMIT ?1";
    ENFORCE = "INSERT INTO enforced(policy, since) VALUES(?1, ?2)";
    UNENFORCE = "DELETE FROM enforced WHERE policy = ?1";
    ENFORCES = "SELECT 1 FROM enforced WHERE policy = ?1 AND resumed_at IS NOT NULL";
    POLICIES_HELD = "SELECT policy, since FROM enforced WHERE policy > '' \
        AND resumed_at IS NULL ORDER BY policy LIMIT ?1";
    RESUME_POLICY = "UPDATE enforced SET resumed_at = ?2 WHERE policy = ?1 AND resumed_at IS NULL";
    BRAKE = "SELECT counts_from, held_since FROM brake WHERE key_arn = ?1";
    SET_BRAKE = "INSERT INTO brake(key_arn, counts_from, held_since) VALUES(?1, ?2, ?2) \
        ON CONFLICT(key_arn) DO UPDATE SET held_since = ?2";
    KEYS_HELD = "SELECT key_arn, held_since FROM brake WHERE key_arn > '' \
        AND held_since IS NOT NULL ORDER BY key_arn LIMIT ?1";
    RESUME_KEY = "UPDATE brake SET counts_from = ?2, held_since = NULL WHERE key_arn = ?1";
    LET_END = "SELECT 1 FROM let_end WHERE kms_grant = ?1";
    NEW_LET_END = "INSERT INTO let_end(kms_grant, key_arn, at) VALUES(?1, ?2, ?3)";
    LET_ENDS = "SELECT count(*) FROM let_end WHERE key_arn = ?1";
    FORGET_LET_ENDS = "DELETE FROM let_end WHERE key_arn = ?1 AND at < ?2";
    POLICY_OF = "SELECT policy FROM lease WHERE ref = ?1";
    ADOPTED_WAITING = "SELECT count(*) FROM (SELECT 1 FROM kms_grant WHERE key_arn = ?1 \
        AND origin = 'adopted' AND state = 'active' AND deadline <= ?2 LIMIT ?3)";
    ADOPTED_DUE_AGAIN = "UPDATE kms_grant SET next_action_at = deadline - lead_ms \
        WHERE key_arn = ?1 AND origin = 'adopted' AND state = 'active'";

    LISTABLE = "SELECT id, grant_id, key_arn, create_sent, missing_at IS NOT NULL FROM kms_grant \
        WHERE lane = ?1 AND (key_arn, id) > (?2, ?3) AND state = 'active' AND state <> 'closed' \
        AND origin <> 'adopted' ORDER BY key_arn, id LIMIT ?4";
    FOUND_LIVE = "SELECT count(*) FROM (SELECT 1 FROM kms_grant WHERE id > 0 \
        AND origin = 'found' AND state IN('creating', 'active', 'ending') LIMIT ?1)";
    MISSING = "SELECT count(*) FROM (SELECT 1 FROM kms_grant \
        WHERE id > 0 AND state = 'active' AND missing_at IS NOT NULL AND origin = 'asked' \
        LIMIT ?1)";
    KEYS_OFF_OF = "SELECT key_arn, state FROM key_off WHERE lane = ?1";
    KEYS_OFF = "SELECT key_arn, state, since FROM key_off WHERE lane > 0 \
        ORDER BY lane, key_arn LIMIT ?1";
    KEY_OFF = "INSERT INTO key_off(lane, key_arn, state, since) VALUES(?1, ?2, ?3, ?4) \
        ON CONFLICT DO UPDATE SET state = ?3, since = ?4";
    KEY_ON = "DELETE FROM key_off WHERE lane = ?1 AND key_arn = ?2";
    PINNED = "SELECT key_arn, moved_to FROM alias_pin \
        WHERE account = ?1 AND region = ?2 AND alias = ?3";
    PIN = "INSERT INTO alias_pin(account, region, alias, key_arn, pinned_at) \
        VALUES(?1, ?2, ?3, ?4, ?5)";
    ALIAS_MOVES = "UPDATE alias_pin SET moved_to = ?4, moved_at = ?5 \
        WHERE account = ?1 AND region = ?2 AND alias = ?3";
    MOVED_ALIASES = "SELECT account, region, alias, key_arn, moved_to, moved_at FROM alias_pin \
        WHERE account > '' AND moved_to IS NOT NULL ORDER BY account, region, alias LIMIT ?1";
    ACCEPT_ALIAS = "UPDATE alias_pin SET key_arn = moved_to, pinned_at = ?6, moved_to = NULL, \
        moved_at = NULL WHERE account = ?1 AND region = ?2 AND alias = ?3 AND key_arn = ?4 \
        AND moved_to = ?5";

    PROOF = "SELECT proven_at FROM proof WHERE lane = ?1 AND key_arn = ?2";
    SET_PROOF = "INSERT INTO proof(lane, key_arn, proven_at) VALUES(?1, ?2, ?3) ON CONFLICT DO \
        UPDATE \
        SET proven_at = ?3";
    STALLS = "SELECT lane, key_arn, class, since, tries, until, detail FROM stall \
        ORDER BY lane, key_arn LIMIT ?1";
    SET_STALL = "INSERT INTO stall(lane, key_arn, class, since, tries, until, detail) \
        VALUES(?1, ?2, ?3, ?4, 1, ?5, ?6) ON CONFLICT DO UPDATE \
        SET since = iif(class = ?3, since, ?4), tries = iif(class = ?3, tries + 1, 1), class = \
        ?3, until = ?5, detail = ?6";
    CLEAR_STALL = "DELETE FROM stall WHERE lane = ?1 AND key_arn = ?2";

    HISTORY_BEGAN = "SELECT at FROM history WHERE seq > 0 ORDER BY seq LIMIT 1";
    HISTORY_HEAD = "SELECT seq, hash FROM history ORDER BY seq DESC LIMIT 1";
    HISTORY_HASH = "SELECT hash FROM history WHERE seq = ?1";
    NEW_HISTORY = "INSERT INTO history(seq, at, lease, kind, actor, body, prev, hash) \
        VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    HISTORY_HAS = "SELECT 1 FROM history WHERE lease = ?1 AND lease IS NOT NULL AND kind = ?2 \
        LIMIT 1";
    HISTORY_FROM = "SELECT seq, at, lease, kind, actor, body, prev, hash FROM history WHERE seq > \
        ?1 \
        ORDER BY seq LIMIT ?2";
    HISTORY_BEFORE = "SELECT seq FROM history WHERE seq <= ?1 ORDER BY seq LIMIT 1";
    HISTORY_WALK = "SELECT seq, at, lease, kind, actor, body, prev, hash, \
        EXISTS(SELECT 1 FROM history AS i INDEXED BY history_at \
        WHERE i.at = h.at AND i.seq = h.seq) \
        AND (h.lease IS NULL OR EXISTS(SELECT 1 FROM history AS i INDEXED BY history_lease \
        WHERE i.lease = h.lease AND i.lease IS NOT NULL AND i.seq = h.seq)) AS indexed \
        FROM history AS h WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    GUARDS = "SELECT type, name, tbl_name, sql FROM sqlite_schema \
        WHERE tbl_name = 'history' OR type IN('trigger', 'view') ORDER BY type, name";
    HISTORY_OF_LEASE = "SELECT seq, at, lease, kind, actor, body, prev, hash FROM history \
        WHERE lease = ?1 AND lease IS NOT NULL AND seq > ?2 ORDER BY seq LIMIT ?3";
    HISTORY_SINCE = "SELECT seq, at, lease, kind, actor, body, prev, hash FROM history \
        WHERE (at, seq) > (?1, ?2) ORDER BY at, seq LIMIT ?3";
}

/// What a listing is driven by: the column whose index it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drive {
    /// All leases.
    All,
    /// Those of a key, as the asker wrote it.
    Key,
    /// Those of a key, by its id.
    KeyId,
    /// Those of a grantee, by the last piece of the ARN.
    Grantee,
    /// Those that a policy allowed.
    Policy,
    /// Those of a user.
    Asker,
}

impl Drive {
    /// For the test of their plans.
    #[cfg(test)]
    pub(super) const EVERY: &[Self] =
        &[Self::All, Self::Key, Self::KeyId, Self::Grantee, Self::Policy, Self::Asker];

    const fn clause(self) -> &'static str {
        match self {
            Self::All => "?1 IS NULL AND",
            Self::Key => "key = ?1 AND",
            Self::KeyId => "key_id = ?1 AND",
            Self::Grantee => "grantee_short = ?1 AND",
            Self::Policy => "policy = ?1 AND policy IS NOT NULL AND",
            Self::Asker => "asker_uid = ?1 AND asker_uid IS NOT NULL AND",
        }
    }
}

/// A listing by (deadline, id): one ordered stream per state, merged without a sort. `?1` is the
/// value of the drive (NULL for all), `?2, ?3` the cursor, `?4` the latest deadline, `?5` how many
/// rows may be looked at.
pub(super) fn listing(drive: Drive, states: &[&'static str]) -> String {
    let mut sql = String::new();
    for state in states {
        if !sql.is_empty() {
            sql.push_str(" UNION ALL ");
        }
        // Writing to a String cannot fail.
        let _ok = write!(
            sql,
            "SELECT id, ref, deadline, key, key_arn, key_id, grantee, grantee_short, policy, \
            asker_uid FROM lease \
             WHERE {} state = '{state}' AND (deadline, id) > (?2, ?3) AND deadline <= ?4",
            drive.clause()
        );
    }
    sql.push_str(" ORDER BY deadline, id LIMIT ?5");
    sql
}
