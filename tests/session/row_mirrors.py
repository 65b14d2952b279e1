"""Which test each row of the tables of problems is mirrored by: it fails without the row (``test_problem_rows``).

A table is ``module.NAME``; ``[2].reasons`` are the reasons of its third row, ``[2].more`` what is added to their cause.
Tests stand in the order of the rows.
"""

from __future__ import annotations

MIRRORS: dict[str, tuple[str, ...]] = {
    "rules_startup.REJECTING": (
        "test_rules_startup_facts.test_a_route_that_comes_and_goes",
        "test_calling.test_a_router_that_refuses_is_named_without_doubt",
        "test_rules_startup_facts.test_a_connection_that_a_router_refused",
        "test_rules_startup_facts.test_lower_ports_are_let_in_for_callbacks_alone",
    ),
    "rules_startup.UNREACHABLE": (
        "test_rules_startup_facts.test_a_syn_ack_that_is_lost",
        "test_rules_startup_facts.test_a_route_that_comes_and_goes",
        "test_rules_startup_facts.test_a_connection_that_was_refused",
        "test_thresholds.test_how_lately_a_port_answered_that_is_not_down",
        "test_rules_startup_facts.test_syns_without_an_answer",
    ),
    "rules_startup.START_ERROR": ("test_rules_startup_facts.test_an_error_that_answers_the_start",),
    "rules_startup.REJECTED": (
        "test_rules_startup_facts.test_a_remote_that_does_not_know_the_client",
        "test_rules_startup_facts.test_a_start_that_was_cut",
        "test_rules_startup_facts.test_a_start_that_was_cut",
        "test_rules_startup_facts.test_a_remote_that_does_not_know_the_client",
    ),
    "failed_callbacks.RESETTING": (
        "test_calling.test_a_refusal_without_a_command_connection_has_the_general_words",
        "test_calling.test_a_device_that_refuses",
        "test_calling.test_a_client_that_had_given_up",
        "test_calling.test_a_client_that_had_ended",
        "test_calling.test_a_client_that_still_waits",
        "test_calling.test_nobody_listens_and_nobody_knows_why",
    ),
    "failed_callbacks.IN_VAIN": (
        "test_calling.test_another_place_than_the_announced_one_was_called",
        "test_rules_startup_facts.test_a_syn_ack_that_is_lost",
        "test_calling.test_the_words_of_a_late_callback",
        "test_rules_startup_facts.test_lower_ports_are_let_in_for_callbacks_alone",
        "test_calling.test_a_refusal_without_a_command_connection_has_the_general_words",
        "test_problem_words.test_one_syn_to_a_client_that_lives_is_less_certain",
        "test_calling.test_from_when_on_a_callback_is_too_late",
    ),
    "uncalled.LEFT": (
        "test_rules_startup_facts.test_a_device_that_cut_the_connection_before_the_callback_came",
        "test_rules_startup_facts.test_who_left_after_his_time_did_not_leave",
    ),
    "uncalled.UNCALLED": (
        "test_rules_startup_facts.test_a_task_without_a_start_or_a_command_connection",
        "test_rules_startup_facts.test_a_callback_that_nobody_saw",
        "test_rules_startup_facts.test_a_start_that_is_not_acknowledged",
        "test_rules_startup_facts.test_a_task_without_a_start_or_a_command_connection",
    ),
    "calling.FOREIGN": (
        "test_calling.test_what_a_stranger_did",
        "test_calling.test_what_a_stranger_did",
    ),
    "calling.SLOW": ("test_calling.test_a_slow_start_whose_syns_were_lost",),
    "rules_disconnect.WITHOUT_END": (
        "test_rules_disconnect_facts.test_a_process_that_is_gone_whose_connection_shows_no_end",
        "test_rules_disconnect_facts.test_a_process_that_is_gone_whose_connection_shows_no_end",
    ),
    "silent_ends.GONE": (
        "test_rules_disconnect_facts.test_a_router_that_reports_leaves_no_doubt",
        "test_rules_disconnect.test_a_host_that_talks_to_others_is_not_gone",
        "test_rules_disconnect_facts.test_a_kill_without_a_close_that_nobody_hears",
    ),
    "silent_ends.UNHEARD": (
        "test_rules_disconnect_facts.test_a_close_that_nobody_hears",
        "test_rules_disconnect_facts.test_a_kill_without_a_close_that_nobody_hears",
    ),
    "silent_ends.STUCK": (
        "test_rules_disconnect_facts.test_a_hole_is_shown_by_what_came_behind_it_and_by_what_was_sent_again",
        "test_diagnosis.test_only_alarms_are_doubted_and_not_what_the_capture_lacks",
        "test_thresholds.test_how_long_an_idle_connection_was_silent",
        "test_thresholds.test_the_other_connection_lives_when_it_speaks_at_the_same_time_or_later",
    ),
    "early_ends.WHO_ENDED": (
        "test_rules_disconnect_facts.test_a_client_that_sends_on_behind_its_reset",
        "test_rules_disconnect_facts.test_of_a_callback_alone_nobody_knows_who_lives",
        "test_rules_disconnect_facts.test_a_process_that_follows_the_client_s_end_of_the_command_connection",
        "test_rules_disconnect_facts.test_a_remote_that_answered_the_close_did_not_end_with_the_process",
        "test_rules_disconnect_facts.test_the_remote_lives_when_it_is_heard_from_the_reset_on",
        "test_rules_disconnect_facts.test_who_closes_in_order_after_a_long_silence_is_no_device",
    ),
    "early_ends.EARLY_END": (
        "test_rules_disconnect.test_a_last_try_does_not_end_the_silence",
        "test_rules_disconnect_facts.test_a_host_that_lives_and_knows_no_such_connection",
        "test_rules_disconnect.test_a_device_resets_without_a_silence",
        "test_rules_disconnect_facts.test_a_client_that_closes_later_says_how_much_later",
        "test_rules_disconnect_facts.test_who_closes_in_order_after_a_long_silence_is_no_device",
    ),
    "command_loss.COMMAND_LOST": (
        "test_command_loss.test_a_device_that_reset_it",
        "test_command_loss.test_a_callback_connection_that_ended_before",
    ),
    "command_loss.CLOSE_RESET": (
        "test_command_loss.test_a_close_that_meets_a_reset_after_a_signal",
        "test_command_loss.test_a_process_was_gone_before_the_close",
    ),
    "command_loss.COMMAND_CUT": (
        "test_command_loss.test_a_router_says_why_the_close_is_not_acknowledged",
        "test_command_loss.test_of_a_start_whose_answer_was_not_captured_no_silence_is_told",
        "test_command_loss.test_a_signal_that_somebody_asked_for_has_nothing_to_do_with_it",
        "test_command_loss.test_a_reset_right_behind_the_start_is_a_device_s_as_well",
    ),
    "running.KILLED": ("test_running.test_a_kill_is_told_of_a_task_that_was_killed",),
    "running.ERROR_ANSWER": ("test_running.test_an_error_comes_before_what_the_job_says",),
    "running.INIT_REFUSED": ("test_running.test_how_a_job_failed",),
    "running.ENDED": (
        "test_running.test_whether_somebody_asked_for_a_signal_may_not_be_captured",
        "test_running.test_how_a_job_failed",
    ),
    "running.OPEN": (
        "test_running.test_the_newest_open_call_of_a_task_that_runs",
        "test_running.test_the_newest_open_call_of_a_task_that_runs",
    ),
    "running.CALLS": (
        "test_running.test_calls_that_failed",
        "test_running.test_calls_that_failed",
    ),
    "slowness.SLOWNESS": (
        "test_slowness.test_the_slowest_member_is_told_first",
        "test_slowness.test_many_callbacks_that_are_each_quick_enough",
        "test_slowness.test_the_way_took_the_most",
        "test_slowness.test_the_words_of_a_slow_job",
    ),
    "quality.ADDRESS": ("test_quality_facts.test_a_callback_from_another_address",),
    "quality.PORT": ("test_thresholds.test_which_callback_ports_are_low",),
    "quality.NO_COMMAND": (
        "test_quality_facts.test_why_a_task_has_no_command_connection",
        "test_quality_facts.test_why_a_task_has_no_command_connection",
        "test_quality_facts.test_why_a_task_has_no_command_connection",
    ),
    "quality.NO_CALLBACK": ("test_quality_facts.test_a_callback_that_was_not_captured",),
    "quality.CONNECTION": (
        "test_quality_facts.test_the_words_of_each_flaw",
        "test_quality_facts.test_the_words_of_each_flaw",
        "test_quality_facts.test_the_words_of_each_flaw",
        "test_quality_facts.test_retransmissions_of_both_ends_are_added_up",
    ),
    "quality.WINDOWS": ("test_quality_facts.test_zero_windows_of_an_end",),
    "oddities.UNDECODED": (
        "test_quality_facts.test_an_answer_without_its_request_is_the_capture_s_fault",
        "test_quality_facts.test_one_that_lacks_nothing_among_them_is_enough",
    ),
    "oddities.TRAILING": ("test_quality_facts.test_one_that_lacks_nothing_among_them_is_enough",),
    "oddities.NUMBERS": ("test_quality_facts.test_a_number_that_is_none",),
    "oddities._CAPPED": (
        "test_quality_facts.test_a_cap_is_said_to_be_one",
        "test_quality_facts.test_a_hole_of_the_capture",
    ),
    "oddities.BYTES": (
        "test_quality_facts.test_what_the_snap_length_cut_off_is_no_hole",
        "test_quality_facts.test_bytes_that_the_receiver_never_had",
        "test_quality_facts.test_a_hole_of_the_capture",
    ),
    "bounds.GIVEN_UP": ("test_problem_words.test_a_task_that_was_let_go",),
    "bounds.COUNTED": (
        "test_problem_words.test_what_was_counted_only",
        "test_problem_words.test_what_was_counted_only",
        "test_problem_words.test_what_was_counted_only",
    ),
    "agent_errors.ADVICE": (
        "test_problem_words.test_a_proxy_that_asks_for_credentials",
        "test_http_bodies.test_what_the_text_of_an_error_tells",
        "test_http_bodies.test_what_the_text_of_an_error_tells",
        "test_problem_words.test_who_is_not_the_task_s_master",
        "test_http_bodies.test_a_classic_master_at_a_universal_agent",
        "test_problem_words.test_a_proxy_that_does_not_connect",
    ),
    "agent_errors.REFUSED": ("test_problem_words.test_a_proxy_that_asks_for_credentials",),
    "agent_errors.NOT_CONNECTED": ("test_problem_words.test_a_proxy_that_does_not_connect",),
    "agent_errors.TUNNEL_FAILED": ("test_tunnels.test_a_tunnel_that_breaks",),
    "agent_errors.HTTP_ERROR": ("test_http_bodies.test_a_classic_master_at_a_universal_agent",),
    "rules_agent.KILLED": ("test_tunnels.test_a_task_that_is_killed",),
    "rules_agent.SILENT": (
        "test_problem_words.test_a_master_that_says_nothing_more",
        "test_tunnels.test_an_agent_that_nothing_reaches",
        "test_tunnels.test_an_agent_that_is_gone",
        "test_problem_words.test_a_request_that_nobody_answers",
    ),
    "rules_agent.REPEATED": ("test_tunnels.test_going_on_twice_counts_once",),
    "rules_agent.LATE": ("test_tunnels.test_a_master_that_forgets_its_heartbeat",),
    "rules_agent.SKEWED": (
        "test_http_bodies.test_an_agent_whose_clock_is_wrong",
        "test_http_bodies.test_an_agent_whose_clock_is_wrong",
    ),
    "rules_startup.UNREACHABLE[3].more": ("test_problem_words.test_one_syn_to_a_busy_remote_is_less_certain",),
    "rules_startup.UNREACHABLE[4].more": ("test_rules_startup_facts.test_syns_without_an_answer",),
    "failed_callbacks.IN_VAIN[2].reasons": (
        "test_calling.test_the_words_of_a_late_callback",
        "test_calling.test_a_late_callback_of_a_busy_remote",
        "test_calling.test_a_late_callback_that_nobody_refused",
    ),
    "failed_callbacks.IN_VAIN[5].more": ("test_problem_words.test_one_syn_to_a_client_that_lives_is_less_certain",),
    "failed_callbacks.IN_VAIN[6].more": ("test_bounds.test_a_single_syn_without_an_answer_is_less_certain",),
    "uncalled.LEFT[0].more": ("test_problem_words.test_a_device_that_cuts_the_start_may_hide_the_callback",),
    "uncalled.LEFT[1].more": ("test_rules_startup_facts.test_who_left_before_the_callback_came",),
    "uncalled.UNCALLED[2].more": ("test_rules_startup_facts.test_a_start_that_is_retransmitted_in_vain",),
    "calling.SLOW[0].reasons": (
        "test_calling.test_a_slow_start_of_a_busy_remote",
        "test_calling.test_a_slow_start_whose_syns_were_lost",
        "test_calling.test_a_slow_start_whose_handshake_was_not_captured",
    ),
    "silent_ends.UNHEARD[0].more": ("test_rules_disconnect_facts.test_a_close_that_nobody_hears",),
    "silent_ends.UNHEARD[1].more": ("test_rules_disconnect_facts.test_a_close_that_nobody_hears",),
    "silent_ends.STUCK[3].more": (
        "test_rules_disconnect_facts.test_which_silence_may_have_made_a_device_forget",
        "test_rules_disconnect_facts.test_large_segments_where_small_ones_pass",
    ),
    "early_ends.EARLY_END[4].more": (
        "test_rules_disconnect_facts.test_a_reset_after_a_long_silence_may_be_a_device_s",
        "test_problem_words.test_packets_of_several_paths_weaken_who_reset",
    ),
    "command_loss.COMMAND_LOST[1].reasons": (
        "test_command_loss.test_a_client_that_goes_on",
        "test_command_loss.test_a_client_that_goes_on",
        "test_command_loss.test_a_callback_connection_that_ended_before",
    ),
    "running.ENDED[0].reasons": (
        "test_running.test_how_a_job_failed",
        "test_running.test_whether_somebody_asked_for_a_signal_may_not_be_captured",
    ),
    "slowness.SLOWNESS[0].reasons": (
        "test_thresholds.test_when_slow_callbacks_are_the_polling_of_a_client",
        "test_slowness.test_the_slowest_member_is_told_first",
    ),
    "slowness.SLOWNESS[0].more": ("test_slowness.test_a_slow_callback_or_a_lost_packet",),
    "agent_errors.NO_ANSWER": (
        "test_tunnels.test_a_start_whose_connection_ends_instead_of_an_answer",
        "test_tunnels.test_a_start_whose_connection_ends_instead_of_an_answer",
    ),
}
