//! Three documents in the shapes of real tools, and mapping expressions in the style of theirs.
//!
//! The documents are made up; sizes and structure follow what the tools send.

/// A document and the expressions of its mapping.
pub(crate) struct Entity {
    pub(crate) name: &'static str,
    pub(crate) document: String,
    pub(crate) expressions: &'static [&'static str],
}

pub(crate) fn all() -> [Entity; 3] {
    [
        Entity {
            name: "jira",
            document: jira(),
            expressions: &JIRA,
        },
        Entity {
            name: "pull_request",
            document: pull_request(),
            expressions: &PULL_REQUEST,
        },
        Entity {
            name: "kubernetes",
            document: kubernetes(),
            expressions: &KUBERNETES,
        },
    ]
}

/// 19 expressions, 17 of them plain paths and constants.
const JIRA: [&str; 19] = [
    ".key",
    ".fields.summary",
    "\"jiraIssue\"",
    "(.self | split(\"/\") | .[:3] | join(\"/\")) + \"/browse/\" + .key",
    ".fields.status.name",
    ".fields.issuetype.name",
    ".fields.components",
    ".fields.assignee.emailAddress",
    ".fields.reporter.emailAddress",
    ".fields.creator.emailAddress",
    ".fields.priority.name",
    ".fields.labels",
    ".fields.created",
    ".fields.updated",
    ".fields.resolutiondate",
    ".fields.project.key",
    ".fields.parent.key",
    ".fields.subtasks | map(.key)",
    ".fields.assignee.accountId",
];

/// 16 expressions, 11 of them plain.
const PULL_REQUEST: [&str; 16] = [
    ".head.repo.name + (.id | tostring)",
    ".title",
    "\"githubPullRequest\"",
    ".user.login | sub(\"(?<=.)(?=[A-Z])\"; \"-\"; \"g\") | ascii_downcase",
    "[.assignees[].login]",
    "[.requested_reviewers[].login | gsub(\"(?<!^)_(?!$)\"; \"-\")]",
    ".state",
    ".closed_at",
    ".updated_at",
    ".merged_at",
    ".created_at",
    ".number",
    ".html_url",
    ".head.ref",
    "((.merged_at // now | tostring | sub(\"[.][0-9]+Z?$\"; \"Z\") | fromdate?) // 0) - (.created_at | fromdate) | . / 36 | floor / 100",
    ".head.repo.full_name",
];

/// 17 expressions, 9 of them plain.
const KUBERNETES: [&str; 17] = [
    ".metadata.name + \"-Deployment-\" + .metadata.namespace + \"-\" + \"cluster\"",
    ".metadata.name",
    "\"workload\"",
    "\"Deployment\"",
    ".metadata.creationTimestamp",
    ".spec.replicas",
    "\"hostNetwork=\" + (.spec.template.spec.hostNetwork // false | tostring)",
    ".status.availableReplicas",
    ".metadata.labels",
    ".spec.template.spec.containers | map({name, image, resources})",
    ".spec.template.spec.containers | map(select(.resources.limits.memory)) | length",
    ".spec.strategy.type",
    "[.spec.template.spec.containers[].env[]? | select(.name | test(\"^APP_\")) | {(.name): .value}] | add",
    ".spec.template.spec.containers | map(.securityContext.privileged // false) | any",
    ".metadata.namespace",
    ".status.conditions | map(select(.type == \"Available\")) | .[0].status",
    "[.spec.template.spec.containers[].livenessProbe | select(. != null)] | length > 0",
];

/// A program that only makes and folds values.
pub(crate) const GENERATORS: &str = "[range(2000) | select(. % 3 == 0) | {k: (. % 7), v: .}] | group_by(.k) | map({k: .[0].k, s: (map(.v) | add)})";

/// A program that only matches and replaces, over a long text.
pub(crate) const REGEXES: &str = "[.[] | gsub(\"(?<word>[a-z]+)-(?<number>\\\\d+)\"; \"\\(.number)_\\(.word)\") | scan(\"\\\\d+\")] | length";

pub(crate) fn regex_input() -> String {
    let lines: Vec<String> = (0..200)
        .map(|n| {
            format!(
                "\"release-{n} fixes bug-{} and task-{}, see doc\"",
                n * 7,
                n * 13
            )
        })
        .collect();
    format!("[{}]", lines.join(","))
}

fn user(name: &str, id: u32) -> String {
    format!(
        r#"{{"self":"https://tracker.example.com/rest/api/3/user?accountId=5b10a2844c20165700{id:06}","accountId":"5b10a2844c20165700{id:06}","emailAddress":"{name}@example.com","avatarUrls":{{"48x48":"https://avatar.example.net/{name}-{id}.png?size=48&s=48","24x24":"https://avatar.example.net/{name}-{id}.png?size=24&s=24","16x16":"https://avatar.example.net/{name}-{id}.png?size=16&s=16","32x32":"https://avatar.example.net/{name}-{id}.png?size=32&s=32"}},"displayName":"{name}","active":true,"timeZone":"Europe/Berlin","accountType":"atlassian"}}"#
    )
}

fn jira() -> String {
    let subtasks: Vec<String> = (1..5)
        .map(|n| {
            format!(
                r#"{{"id":"1010{n}","key":"OPS-{}","self":"https://tracker.example.com/rest/api/3/issue/1010{n}","fields":{{"summary":"Step {n} of the rotation","status":{{"self":"https://tracker.example.com/rest/api/3/status/3","description":"","iconUrl":"https://tracker.example.com/images/icons/statuses/generic.png","name":"To Do","id":"1000{n}","statusCategory":{{"id":2,"key":"new","colorName":"blue-gray","name":"To Do"}}}},"priority":{{"name":"Medium","id":"3"}},"issuetype":{{"id":"10003","name":"Subtask","subtask":true,"hierarchyLevel":-1}}}}}}"#,
                40 + n
            )
        })
        .collect();
    let customs: Vec<String> = (10_020..10_064)
        .map(|n| match n % 5 {
            0 => format!(r#""customfield_{n}":{{"value":"option {n}","id":"{n}"}}"#),
            1 => format!(r#""customfield_{n}":{}.0"#, n % 13),
            _ => format!(r#""customfield_{n}":null"#),
        })
        .collect();
    format!(
        r#"{{"expand":"operations,versionedRepresentations,editmeta,changelog,renderedFields","id":"10042","self":"https://tracker.example.com/rest/api/3/issue/10042","key":"OPS-42","fields":{{"statuscategorychangedate":"2024-03-05T10:11:12.345+0100","issuetype":{{"self":"https://tracker.example.com/rest/api/3/issuetype/10001","id":"10001","description":"A task that needs to be done.","iconUrl":"https://tracker.example.com/secure/viewavatar?size=medium&avatarId=10318","name":"Task","subtask":false,"avatarId":10318,"hierarchyLevel":0}},"parent":{{"id":"10000","key":"OPS-1","fields":{{"summary":"Epic"}}}},"timespent":null,"project":{{"self":"https://tracker.example.com/rest/api/3/project/10000","id":"10000","key":"OPS","name":"Operations","projectTypeKey":"software","simplified":true}},"fixVersions":[],"resolution":null,"resolutiondate":null,"workratio":-1,"created":"2024-03-01T09:00:00.000+0100","priority":{{"self":"https://tracker.example.com/rest/api/3/priority/3","iconUrl":"https://tracker.example.com/images/icons/priorities/medium.svg","name":"Medium","id":"3"}},"labels":["infra","security","rotation"],{},"versions":[],"issuelinks":[],"assignee":{},"updated":"2024-03-05T10:11:12.345+0100","status":{{"self":"https://tracker.example.com/rest/api/3/status/3","description":"This issue is being actively worked on","iconUrl":"https://tracker.example.com/","name":"In Progress","id":"3","statusCategory":{{"self":"https://tracker.example.com/rest/api/3/statuscategory/4","id":4,"key":"indeterminate","colorName":"yellow","name":"In Progress"}}}},"components":[{{"id":"10000","name":"vault"}}],"description":{{"type":"doc","version":1,"content":[{{"type":"paragraph","content":[{{"type":"text","text":"Rotate the keys of the payment service,\nthen check that \"old\" ones are gone."}}]}}]}},"summary":"Rotate keys of the payment service","creator":{},"subtasks":[{}],"reporter":{},"aggregateprogress":{{"progress":0,"total":0}},"duedate":null,"votes":{{"self":"https://tracker.example.com/rest/api/3/issue/OPS-42/votes","votes":0,"hasVoted":false}},"timetracking":{{"originalEstimate":"2d","remainingEstimate":"4h","timeSpent":"1d 4h","originalEstimateSeconds":57600,"remainingEstimateSeconds":14400,"timeSpentSeconds":43200}},"watches":{{"self":"https://tracker.example.com/rest/api/3/issue/OPS-42/watchers","watchCount":3,"isWatching":false}},"comment":{{"comments":[{}],"self":"https://tracker.example.com/rest/api/3/issue/10042/comment","maxResults":1,"total":1,"startAt":0}}}}}}"#,
        customs.join(","),
        user("ann", 1),
        user("bob", 2),
        subtasks.join(","),
        user("bob", 2),
        comment(),
    )
}

fn comment() -> String {
    format!(
        r#"{{"self":"https://tracker.example.com/rest/api/3/issue/10042/comment/20001","id":"20001","author":{},"body":{{"type":"doc","version":1,"content":[{{"type":"paragraph","content":[{{"type":"text","text":"The old key is still read by the batch jobs; they move with the release on Monday."}}]}}]}},"created":"2024-03-04T16:20:00.000+0100","jsdPublic":true}}"#,
        user("eve", 3)
    )
}

fn account(name: &str) -> String {
    let api = format!("https://api.forge.example/users/{name}");
    let links: Vec<String> = [
        "followers",
        "following{/other_user}",
        "gists{/gist_id}",
        "starred{/owner}{/repo}",
        "subscriptions",
        "orgs",
        "repos",
        "events{/privacy}",
        "received_events",
    ]
    .iter()
    .map(|link| {
        let name = link.split('{').next().unwrap_or(link);
        format!(r#""{name}_url":"{api}/{link}""#)
    })
    .collect();
    format!(
        r#"{{"login":"{name}","id":583231,"node_id":"MDQ6VXNlcjU4MzIzMQ==","avatar_url":"https://avatars.forge.example/u/583231?v=4","gravatar_id":"","url":"{api}","html_url":"https://forge.example/{name}",{},"type":"User","site_admin":false}}"#,
        links.join(",")
    )
}

fn repository() -> String {
    let api = "https://api.forge.example/repos/acme/payments";
    let links: Vec<String> = [
        ("forks", "/forks"),
        ("keys", "/keys{/key_id}"),
        ("collaborators", "/collaborators{/collaborator}"),
        ("teams", "/teams"),
        ("hooks", "/hooks"),
        ("issue_events", "/issues/events{/number}"),
        ("events", "/events"),
        ("assignees", "/assignees{/user}"),
        ("branches", "/branches{/branch}"),
        ("tags", "/tags"),
        ("blobs", "/git/blobs{/sha}"),
        ("git_tags", "/git/tags{/sha}"),
        ("git_refs", "/git/refs{/sha}"),
        ("trees", "/git/trees{/sha}"),
        ("statuses", "/statuses/{sha}"),
        ("languages", "/languages"),
        ("stargazers", "/stargazers"),
        ("contributors", "/contributors"),
        ("subscribers", "/subscribers"),
        ("subscription", "/subscription"),
        ("commits", "/commits{/sha}"),
        ("git_commits", "/git/commits{/sha}"),
        ("comments", "/comments{/number}"),
        ("issue_comment", "/issues/comments{/number}"),
        ("contents", "/contents/{+path}"),
        ("compare", "/compare/{base}...{head}"),
        ("merges", "/merges"),
        ("archive", "/{archive_format}{/ref}"),
        ("downloads", "/downloads"),
        ("issues", "/issues{/number}"),
        ("pulls", "/pulls{/number}"),
        ("milestones", "/milestones{/number}"),
        ("notifications", "/notifications{?since,all,participating}"),
        ("labels", "/labels{/name}"),
        ("releases", "/releases{/id}"),
        ("deployments", "/deployments"),
    ]
    .iter()
    .map(|(name, path)| format!(r#""{name}_url":"{api}{path}""#))
    .collect();
    format!(
        r#"{{"id":1296269,"node_id":"MDEwOlJlcG9zaXRvcnkxMjk2MjY5","name":"payments","full_name":"acme/payments","owner":{},"private":true,"html_url":"https://forge.example/acme/payments","description":"Payment service","fork":false,{},"created_at":"2011-01-26T19:01:12Z","updated_at":"2024-03-05T08:00:00Z","pushed_at":"2024-03-05T10:11:12Z","git_url":"git://forge.example/acme/payments.git","ssh_url":"git@forge.example:acme/payments.git","clone_url":"https://forge.example/acme/payments.git","svn_url":"https://forge.example/acme/payments","homepage":"https://payments.example.com","size":108,"stargazers_count":80,"watchers_count":80,"language":"Rust","has_issues":true,"has_projects":true,"has_downloads":true,"has_wiki":false,"has_pages":false,"has_discussions":false,"forks_count":9,"mirror_url":null,"archived":false,"disabled":false,"open_issues_count":12,"license":{{"key":"mit","name":"MIT License","spdx_id":"MIT","url":"https://api.forge.example/licenses/mit","node_id":"MDc6TGljZW5zZW1pdA=="}},"allow_forking":true,"is_template":false,"web_commit_signoff_required":false,"topics":["payments","api"],"forks":9,"open_issues":12,"watchers":80,"visibility":"private","default_branch":"main"}}"#,
        account("Acme"),
        links.join(",")
    )
}

const TEAM: &str = r#"{"id":1,"node_id":"MDQ6VGVhbTE=","url":"https://api.forge.example/teams/1","html_url":"https://forge.example/orgs/acme/teams/payments","name":"Payments","slug":"payments","description":"Owns the payment service","privacy":"closed","notification_setting":"notifications_enabled","permission":"push","members_url":"https://api.forge.example/teams/1/members{/member}","repositories_url":"https://api.forge.example/teams/1/repos","parent":null}"#;

fn pull_request() -> String {
    let people = ["octoCat", "hubot_the_2nd", "monaLisa", "dev_one"].map(account);
    let api = "https://api.forge.example/repos/acme/payments";
    let labels: Vec<String> = ["bug", "client", "reliability", "needs-release-note"]
        .iter()
        .map(|name| {
            format!(
                r#"{{"id":208045946,"node_id":"MDU6TGFiZWwyMDgwNDU5NDY=","url":"{api}/labels/{name}","name":"{name}","description":"What belongs to {name}","color":"f29513","default":false}}"#
            )
        })
        .collect();
    let links: Vec<String> = [
        ("self", "/pulls/1347"),
        ("issue", "/issues/1347"),
        ("comments", "/issues/1347/comments"),
        ("review_comments", "/pulls/1347/comments"),
        ("review_comment", "/pulls/comments{/number}"),
        ("commits", "/pulls/1347/commits"),
        (
            "statuses",
            "/statuses/6dcb09b5b57875f334f61aebed695e2e4193db5e",
        ),
    ]
    .iter()
    .map(|(name, path)| format!(r#""{name}":{{"href":"{api}{path}"}}"#))
    .collect();
    format!(
        r#"{{"url":"https://api.forge.example/repos/acme/payments/pulls/1347","id":1934857261,"node_id":"MDExOlB1bGxSZXF1ZXN0MQ==","html_url":"https://forge.example/acme/payments/pull/1347","number":1347,"state":"closed","locked":false,"title":"Amaze \"new\" feature","user":{},"body":"*What*\nThe client retries with a growing pause, so that a restart of the gateway loses nothing.\n\n*How*\n- `Retry::after` holds the policy\n- timeouts of one call count as failures\n\nCloses #1301, see also the \"old\" attempt in #1289.\r\n","labels":[{}],"milestone":{{"url":"https://api.forge.example/repos/acme/payments/milestones/7","html_url":"https://forge.example/acme/payments/milestone/7","id":1002604,"node_id":"MDk6TWlsZXN0b25lMTAwMjYwNA==","number":7,"state":"open","title":"2024.2","description":"Everything that the second release needs","creator":{},"open_issues":4,"closed_issues":8,"created_at":"2024-01-10T20:09:31Z","updated_at":"2024-03-03T18:58:10Z","closed_at":null,"due_on":"2024-06-30T23:39:01Z"}},"created_at":"2024-03-01T09:00:00Z","updated_at":"2024-03-05T10:11:12Z","closed_at":"2024-03-05T10:11:12Z","merged_at":"2024-03-05T10:11:12Z","merge_commit_sha":"e5bd3914e2e596debea16f433f57875b5b90bcd6","assignee":{},"assignees":[{},{}],"requested_reviewers":[{},{}],"requested_teams":[{}],"draft":false,"head":{{"label":"acme:feature","ref":"feature","sha":"6dcb09b5b57875f334f61aebed695e2e4193db5e","user":{},"repo":{}}},"base":{{"label":"acme:main","ref":"main","sha":"6dcb09b5b57875f334f61aebed695e2e4193db5e","user":{},"repo":{}}},"_links":{{{}}},"author_association":"MEMBER","auto_merge":null,"active_lock_reason":null,"mergeable":null,"rebaseable":null,"mergeable_state":"unknown","merged_by":{},"review_comments":4,"maintainer_can_modify":false,"merged":true,"comments":10,"commits":3,"additions":100,"deletions":3,"changed_files":5}}"#,
        people[0],
        labels.join(","),
        people[2],
        people[1],
        people[1],
        people[2],
        people[2],
        people[3],
        TEAM,
        people[0],
        repository(),
        people[0],
        repository(),
        links.join(","),
        people[3],
    )
}

fn kubernetes() -> String {
    let containers: Vec<String> = (0..6)
        .map(|container| {
            let env: Vec<String> = (0..100)
                .map(|n| {
                    let prefix = if n % 4 == 0 { "APP" } else { "SYS" };
                    format!(r#"{{"name":"{prefix}_SETTING_{container}_{n}","value":"value {n} of container {container}"}}"#)
                })
                .collect();
            format!(
                r#"{{"name":"container-{container}","image":"registry.example.com/team/service-{container}:1.{container}.0","ports":[{{"containerPort":80{container}0,"protocol":"TCP"}}],"env":[{}],"resources":{{"limits":{{"cpu":"500m","memory":"512Mi"}},"requests":{{"cpu":"250m","memory":"256Mi"}}}},"volumeMounts":[{{"name":"config","mountPath":"/etc/config","readOnly":true}}],"livenessProbe":{{"httpGet":{{"path":"/health","port":8080}},"periodSeconds":10}},"securityContext":{{"privileged":false,"runAsUser":1000}},"imagePullPolicy":"IfNotPresent"}}"#,
                env.join(",")
            )
        })
        .collect();
    let fields: Vec<String> = (0..60)
        .map(|n| {
            format!(
                r#""f:field{n}":{{"f:a":{{}},"f:b":{{}},"k:{{\"uid\":\"{n}\"}}":{{".":{{}}}}}}"#
            )
        })
        .collect();
    format!(
        r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"payments","namespace":"production","uid":"8e1f2a9c-0b7d-4c3e-9a55-2f1c6d7e8f90","resourceVersion":"123456789","generation":12,"creationTimestamp":"2024-03-01T09:00:00Z","labels":{{"app":"payments","team":"core","tier":"backend"}},"annotations":{{"deployment.kubernetes.io/revision":"12"}},"managedFields":[{{"manager":"controller","operation":"Update","apiVersion":"apps/v1","fieldsV1":{{{}}}}}]}},"spec":{{"replicas":3,"selector":{{"matchLabels":{{"app":"payments"}}}},"template":{{"metadata":{{"labels":{{"app":"payments"}}}},"spec":{{"containers":[{}],"volumes":[{{"name":"config","configMap":{{"name":"payments-config","defaultMode":420}}}},{{"name":"tls","secret":{{"secretName":"payments-tls","defaultMode":420}}}}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"payments","securityContext":{{"fsGroup":2000}},"schedulerName":"default-scheduler"}}}},"strategy":{{"type":"RollingUpdate","rollingUpdate":{{"maxSurge":"25%"}}}}}},"status":{{"observedGeneration":12,"replicas":3,"availableReplicas":3,"conditions":[{{"type":"Available","status":"True","lastUpdateTime":"2024-03-01T09:02:11Z","lastTransitionTime":"2024-03-01T09:02:11Z","reason":"MinimumReplicasAvailable","message":"Deployment has minimum availability."}},{{"type":"Progressing","status":"True","lastUpdateTime":"2024-03-05T10:11:12Z","lastTransitionTime":"2024-03-01T09:00:04Z","reason":"NewReplicaSetAvailable","message":"ReplicaSet has successfully progressed."}}]}}}}"#,
        fields.join(","),
        containers.join(",")
    )
}
