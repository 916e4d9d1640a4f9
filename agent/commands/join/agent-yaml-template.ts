/** The text with which `join` begins agent.yaml: the same as deploy/examples/agent.yaml, as a test checks. */
export const agentYamlTemplate = `# /etc/keepalived-witness/agent.yaml: configuration of the agent, on each of the two keepalived nodes.

# "witness-agent join" fills these in.
cluster: web
node: lb01
witness: https://10.0.0.20:7400 # an address rather than a name, because a fence must not wait for DNS

# Where the agent of the other node connects.
listen: 0.0.0.0:7401

# observe: enforce nothing, but record what would have been done. Good for the first week.
mode: enforce

# How a node gives the VIP up. stop: it stops keepalived. fault: it puts the instance in FAULT, and stops keepalived only if
# that fails.
fence: stop
# For a node that reaches neither the witness nor its peer. stop: it gives the VIP up. keep: it behaves as keepalived alone
# would, and two MASTERs are possible.
alone: stop
# After a fence. auto: the agent starts keepalived again after a pause. manual: you start it.
rejoin: auto

# Optional; set it on both nodes: an address that is pinged. A holder that has not reached it for 5 s hands the VIP over to
# a standby that does.
# gateway: 10.0.0.1
# Optional; set it before "witness-agent join": the address at which the peer reaches this node. Default: the address from
# which this node was enrolled.
# advertise: 10.0.0.11

stateDir: /var/lib/keepalived-witness-agent
runDir: /run/keepalived-witness
logLevel: info

keepalived:
  config: /etc/keepalived/keepalived.conf
  pidFile: /run/keepalived.pid
  stopCommand: [systemctl, stop, keepalived]
  startCommand: [systemctl, start, keepalived]
  # The last step of a fence, if everything else failed and the VIP is still there:
  # lastResortCommand: [systemctl, reboot, --force, --force]
`
